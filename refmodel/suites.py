"""A design in somebody's test suite: what each engine says of each law, asked once for all the tests of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from refmodel.api import check, named
from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.checking import OF_PENDING, usual
from refmodel.engines.verdicts import COMPLETE, GOOD, EngineReport, Verdict, applied_nowhere, never_applied
from refmodel.language.design import Design, Outline
from refmodel.language.laws import Law
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import BadDesign

AGAIN = 20.0
"""Seconds of an exploration of the laws that are left when a run has broken one. What it does not get to is undecided."""


@attrs.frozen
class Answer:
    """What one engine says of one law."""

    verdict: Verdict
    said: str
    """The same in words, and why where it is undecided."""
    good: bool
    """Whether the engine has shown what it is asked to show."""
    skipped: bool = False
    """Whether it has nothing to say, and another engine of the suite has."""
    run: BrokenRun | None = None
    """A run that breaks the law."""
    numbers: tuple[tuple[str, int], ...] = ()
    """How much the engine looked at, by name."""


@attrs.define
class Suite:
    """The laws of a design and the engines that judge them. An engine is asked when the first test needs it."""

    name: str
    design: Outline
    engines: tuple[str, ...]
    laws: tuple[Law, ...]
    clause: str | None
    """The clause that alone is judged; a proof may lean on the others."""
    runs: int
    seed: int
    _answers: dict[str, dict[Law, Answer]] = attrs.field(factory=dict)
    _asking: dict[str, Iterator[tuple[Law, Answer]]] = attrs.field(factory=dict)

    @classmethod
    def of(
        cls,
        design: type[Design] | str,
        engines: tuple[str, ...],
        geometry: Geometry | Mapping[str, int] | None,
        law: str | None,
        runs: int,
        seed: int,
    ) -> Suite:
        """The suite of a design; ``BadDesign`` if it is none, or has no law of that clause."""
        outline, _ = named(design, geometry)
        law = None if law is None else outline.asked(law)
        laws = tuple(each for each in outline.claims if each.is_asked(law))
        return cls(outline.name, outline, engines or usual(outline), laws, law, runs, seed)

    def judged(self, engine: str) -> tuple[Law, ...]:
        """What an engine judges."""
        pending = {each.law for each in self.design.pending}
        return tuple(law for law in self.laws if law not in pending or engine in OF_PENDING)

    def answer(self, engine: str, law: Law) -> Answer:
        """What an engine says of a law."""
        known = self._answers.setdefault(engine, {})
        asking = self._asking.setdefault(engine, self._asked(engine))
        while law not in known:
            known.update([next(asking)])
        return known[law]

    def _asked(self, engine: str) -> Iterator[tuple[Law, Answer]]:
        """Ask an engine. A run that breaks a law ends its search, so it is asked again about the laws that are left, if need be."""
        wanted = {*self.judged(engine)}
        left, limit = {*self.design.claims} if engine == "prove" else {*wanted}, None
        while left & wanted:
            outline = self.design.judging(left.__contains__)
            asked: Any = [engine]
            try:
                found = check(outline, asked, law=self.clause, runs=self.runs, explore_seconds=limit, seed=self.seed)
            except BadDesign as why:  # this engine cannot read the text: it says the same of each law
                yield from ((law, _unread(engine, law, why)) for law in self.judged(engine) if law in left)
                return
            limit = AGAIN
            (report,), runs = found.engines, found.broken_runs
            broken = report.failure.broken.law if report.failure is not None else None
            again = report.verdicts.get(broken, Verdict.UNDECIDED) is not Verdict.UNDECIDED if broken is not None else False
            for law, verdict in report.verdicts.items():
                if again and verdict is Verdict.UNDECIDED:
                    continue
                left.discard(law)
                stopped = report.failure is not None and broken is None
                run = runs[0] if runs and (law is broken or stopped) else None
                yield law, self._answer(report, law, verdict, run)

    def _answer(self, report: EngineReport, law: Law, verdict: Verdict, run: BrokenRun | None) -> Answer:
        numbers = tuple((f"refmodel_{name}", int(number)) for name, number in attrs.asdict(report.numbers).items() if number)
        lines = [f"{law.clause}: {law.sentence}", f"{report.engine}: {report.words(law)}"]
        if verdict is Verdict.FAILS or run is not None:
            return Answer(verdict, "\n".join(lines), False, False, run, numbers)
        if report.disagreement is not None:
            return Answer(verdict, "\n".join([*lines, f"{report.disagreement.kind}: {report.disagreement.case}"]), False)
        complete = any(engine in COMPLETE for engine in self.engines)
        idle = never_applied([report])
        if verdict in GOOD and not idle and (complete or not report.lacking):
            return Answer(verdict, "\n".join(lines), True, numbers=numbers)
        if verdict in GOOD and idle:
            lines.append(applied_nowhere(idle))
        elif verdict in GOOD:
            lines.append(f"{', '.join(report.lacking)} never applied, and no engine that looks at every state was asked")
        skipped = verdict is Verdict.VACUOUS and complete and report.engine not in COMPLETE
        if verdict is Verdict.VACUOUS:
            lines.append("nothing that the law is about was met")
        if verdict is Verdict.UNDECIDED and report.left_open:
            lines.append(report.left_open)
        return Answer(verdict, "\n".join([*lines, report.why or report.covered, *report.notes, *report.unproved]), False, skipped)


def _unread(engine: str, law: Law, why: BadDesign) -> Answer:
    """The answer of an engine that cannot read a design."""
    said = [f"{law.clause}: {law.sentence}", f"{engine}: {Verdict.UNDECIDED}", str(why)]
    return Answer(Verdict.UNDECIDED, "\n".join(said), False)
