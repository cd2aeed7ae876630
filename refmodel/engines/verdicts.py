"""The words of a verdict, and what several reports come to. No word says more than an engine can.

specs/guide/verdicts.md has this table; a test keeps them alike.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from refmodel.engines.machine import Failure
from refmodel.language.laws import Law
from refmodel.language.plurals import many
from refmodel.language.sizes import Geometry

if TYPE_CHECKING:
    from refmodel.engines.counterexamples import Counterexample
    from refmodel.engines.scope import Witness


GROW_LARGE = "numbers grow larger than exploration keeps"


class Status(enum.IntEnum):
    """The result of a check; as a number it is the exit status of the command."""

    HOLDS = 0
    """What was asked was shown."""
    FAILS = 1
    """A law fails, or two answers disagree."""
    BAD_INPUT = 2
    """What was given could not be read: a design, a trace, or an option."""
    UNDECIDED = 3
    """It was not shown, and nothing that breaks it was found."""

    def __str__(self) -> str:
        """The name, and not the number."""
        return self.name


HOLDS, FAILS, BAD_INPUT, UNDECIDED = Status


class Verdict(enum.StrEnum):
    """What an engine says of a law: the short name, as in JSON."""

    PROVED = "proved"
    """By induction, for any number of names."""
    HOLDS = "holds"
    """In every state of a geometry: an exploration reached the last one."""
    NOT_BROKEN = "not broken"
    """In the steps that were taken. Others were not."""
    NO_RUN = "no run"
    """No run of up to so many steps breaks it."""
    ENDED = "ended"
    """Wherever the condition held in random runs, the operation that is to end it did (a law by ``pending``)."""
    FAILS = "fails"
    """A run from power-on breaks it."""
    NOT_INDUCTIVE = "not inductive"
    """Refuted as an induction step, and true in every state of a geometry: a law that a proof needs may be missing."""
    VACUOUS = "vacuous"
    """It says nothing of this design: no premise of it can be true, or no operation has an outcome that it is about."""
    UNDECIDED = "undecided"
    """Neither shown nor broken."""


WORDS = {
    Verdict.PROVED: "proved",
    Verdict.HOLDS: "holds in every state of this geometry",
    Verdict.NOT_BROKEN: "not broken in {steps}",
    Verdict.NO_RUN: "no run of up to {steps} breaks it",
    Verdict.ENDED: "ended wherever it was pending, {times}",
    Verdict.FAILS: "fails",
    Verdict.NOT_INDUCTIVE: "true where explored, not inductive",
    Verdict.VACUOUS: "vacuous",
    Verdict.UNDECIDED: "undecided",
}
GOOD = {Verdict.PROVED, Verdict.HOLDS, Verdict.NOT_BROKEN, Verdict.NO_RUN, Verdict.ENDED}
BAD = {Verdict.FAILS}
COMPLETE = ("prove", "exhaustive")
"""The engines that look at every state of something; the others look at some runs."""

SIMULATION = " / simulation: "
"""Stands between an operation and why it may take a step that the machine which guests believe in does not have."""

SOUNDNESS = " / soundness: "
"""Stands between an operation and why it may go wrong: a store under NOTHING, a number below zero."""

NEVER = " applies in no lawful state: nothing is said of it"
"""Stands behind an operation of which a proof is a proof about nothing."""
IDLE = ": trivial: true for any contents of the tables, so nothing can break it"
"""Stands behind a law that says nothing."""

ENGINES_DISAGREE = "engines disagree"
READINGS_DISAGREE = "the readings disagree"
PLEASE = "This is an error of refmodel, or a text outside its language. Please report it with the token."


@attrs.frozen
class Disagreement:
    """Two answers that cannot both be right: between engines, or between readings of the text."""

    kind: str
    """``ENGINES_DISAGREE`` or ``READINGS_DISAGREE``."""
    case: str
    """What disagrees, as text."""
    failure: Failure | None = None
    """A run on ints that breaks the law, if there is one."""


class ReadingsDisagree(Exception):
    """Whoever compares the readings of a text raises this, with the case as text."""


@attrs.frozen
class Numbers:
    """The numbers of steps, states and other things that an engine covered. A number that the engine does not count is zero."""

    steps: int = 0
    """Steps that were taken: by random runs, or by an exploration."""
    runs: int = 0
    """Random runs."""
    states: int = 0
    """States that an exploration visited. States that differ only in names count apart."""
    classes: int = 0
    """Classes of states that differ only in names."""
    depth: int = 0
    """Steps of the longest runs that were searched. A complete exploration goes a step beyond its farthest state."""
    obligations: int = 0
    """Proof obligations that were proved: that an operation keeps a law, and that its text means the same on ints and terms."""
    compared: int = 0
    """Steps on solver terms, or in compiled code, that were compared with the same steps in plain Python."""
    complete: bool = False
    """Whether an exploration reached the last state, or a bounded search its depth."""
    branches: int = 0
    """Ways out of conditions in operations, two for each, that a step in compiled code may go."""
    taken: int = 0
    """Those of them that a step of an exploration went."""


@attrs.frozen
class EngineReport:
    """What one engine says of a design: a verdict on each law, and what it is based on."""

    engine: str
    """The engine: ``random``, ``exhaustive``, ``bounded`` or ``prove``."""
    verdicts: dict[Law, Verdict]
    """Its verdict on each law that was asked about. Empty where the engine gave no answer (``why``)."""
    covered: str
    """What it has looked at, in words: states, steps, runs or obligations."""
    seconds: float
    """How long it took."""
    failure: Failure | None = None
    """The run that breaks a law, if it found one."""
    geometry: Geometry | None = None
    """The numbers of names and other limits of what it ran; None for a proof, which has none."""
    witness: Witness | None = None
    """A counterexample to induction: a lawful state, perhaps out of every run's reach, and a step that breaks a law."""
    operation: str = ""
    """The operation whose proof was refuted; empty where a run breaks a law and no proof was refuted."""
    counterexamples: tuple[Counterexample, ...] = ()
    """The same for every obligation that is refuted, each made minimal: the first is the witness."""
    suggestion: tuple[str, ...] = ()
    """What a search for lacking laws came to, in words."""
    suggested: str = ""
    """The laws that it found, as text to be pasted."""
    leans_on: dict[str, tuple[str, ...]] | None = None
    """For each law, by name, the laws that its proof used; None where it was not asked."""
    notes: tuple[str, ...] = ()
    """What else is to be known of the answer, in words."""
    unproved: tuple[str, ...] = ()
    """Obligations neither proved nor refuted, each with the reason; and laws that a proof leans on and that are not proved."""
    may_not_end: tuple[str, ...] = ()
    """Conditions of what is pending of which it is not proved that they come to an end: by name."""
    bound: int = 0
    """The N of the verdict's words."""
    times: Mapping[Law, int] = attrs.field(factory=dict)
    """How often random runs have ended each condition that is to come to an end."""
    lacking: tuple[str, ...] = ()
    """Operations that never applied, in runs or in an exploration to the last state, so that nothing was shown of them."""
    why: str = ""
    """Why the engine gave no answer."""
    within: str = ""
    """What of a geometry is limited beside the number of names, in words: numbers, records that steps are given, steps under way.
    Empty where nothing is."""
    endless: bool = False
    """Whether a number grows beyond what exploration keeps, so that it ended before the last state, however long it may take."""
    spared: bool = False
    """Whether exploration ended before the last state because a proof shows every law, and nobody had said how long to explore."""
    disagreement: Disagreement | None = None
    """A step of which two readings of the text say different things. No verdict of the engine counts then."""
    remembered: bool = False
    """Whether the answer was given before, of the very same text."""
    numbers: Numbers = Numbers()
    """What it covered, in numbers."""
    clause: str = ""
    """The clause whose laws alone were judged, or the name of the one law that was; empty where all were."""
    examples: tuple[Failure, ...] = ()
    """Several different runs that break laws, where they were asked for, the shortest first; ``failure`` is one of them."""

    @property
    def refuted_others(self) -> tuple[str, ...]:
        """The laws that are not judged, that the proof assumes, and to which it has a counterexample to induction: by name."""
        judged = {law.name for law in self.verdicts}
        found = [case.broken.law for case in (self.witness, *(each.witness for each in self.counterexamples)) if case is not None]
        return tuple(dict.fromkeys(law.name for law in found if law is not None and law.name not in judged))

    def words(self, law: Law) -> str:
        """The verdict on a law as it is printed."""
        return WORDS[self.verdicts[law]].format(steps=many(self.bound, "step"), times=many(self.times.get(law, 0), "time"))

    @property
    def left_open(self) -> str:
        """Why laws are undecided, where neither ``why`` nor ``unproved`` says it; empty where no law is."""
        number = sum(verdict == Verdict.UNDECIDED for verdict in self.verdicts.values())
        stopped = self._stopped_at()
        if not number or not stopped or self.why or self.unproved or self.disagreement is not None:
            return ""
        return f"{many(number, 'law')} {'is' if number == 1 else 'are'} undecided, because {stopped}"

    def _stopped_at(self) -> str:
        """What ended the engine's work before every law had a verdict, in words; empty if nothing did."""
        what = {"prove": "the proof", "exhaustive": "the exploration", "bounded": "the search"}.get(self.engine, "the random runs")
        if self.failure is not None:
            law = self.failure.broken.law
            return f"{what} ended at a run {'that breaks ' + law.name if law is not None else 'in which an operation goes wrong'}"
        if self.witness is not None:
            law = self.witness.broken.law
            named = f" for {law.name}" if law is not None else ""
            return f"{what} ended at a counterexample to induction{named}"
        if self.endless:
            return f"{what} ended before the last state: {GROW_LARGE}"
        if is_cut_short(self):
            return f"{what} ended before the last state, at depth {self.numbers.depth}"
        return ""

    @property
    def is_whole(self) -> bool:
        """Whether the engine looks at every state of something, and was not asked for short runs alone."""
        return self.engine in COMPLETE and not self.bound

    @property
    def failed(self) -> bool:
        return self.failure is not None or self.disagreement is not None or any(v in BAD for v in self.verdicts.values())

    @property
    def undecided(self) -> bool:
        """Whether the engine has not shown what it is there to show, of each law."""
        open_ = any(v not in GOOD | BAD and v != Verdict.VACUOUS for v in self.verdicts.values())
        return bool(self.unproved or self.why) or open_ or not self.verdicts


def status_of(reports: Sequence[EngineReport]) -> Status:
    """What a design's reports come to."""
    if any(r.failed for r in reports):
        return FAILS
    reports = [r for r in reports if not (r.spared or (r.endless and proves_all_of(r, reports)))]
    if not reports or any(r.undecided for r in reports) or not all(_is_shown(law, reports) for r in reports for law in r.verdicts):
        return UNDECIDED
    if (not any(r.is_whole for r in reports) and all(r.lacking for r in reports)) or never_applied(reports):
        return UNDECIDED
    return HOLDS


MORE = "one name more of one type, or one or two more of each"
"""What was there in the runs in which something was looked for that happens in no state of a design's own geometry, in words."""


def never_applied(reports: Sequence[EngineReport]) -> tuple[str, ...]:
    """The operations that apply in no state that was explored, where exploration went to the last state, and in no run."""
    explored = next((r for r in reports if r.engine == "exhaustive" and r.numbers.complete), None)
    runs = next((r for r in reports if r.engine == "random"), explored)
    return () if explored is None or runs is None else tuple(name for name in explored.lacking if name in runs.lacking)


def applied_nowhere(names: Sequence[str]) -> str:
    """That these operations never applied, in words."""
    return f"{', '.join(names)} applied in no state of this geometry, and in no run with {MORE}"


def proves_all_of(report: EngineReport, reports: Sequence[EngineReport]) -> bool:
    """Whether a proof has shown every law of a report: it has no bound, and needs no exploration."""
    return any(r.engine == "prove" and all(r.verdicts.get(law) == Verdict.PROVED for law in report.verdicts) for r in reports)


def _is_shown(law: Law, reports: Sequence[EngineReport]) -> bool:
    """Whether an engine met what the law speaks of; where one looked at every state, one that did."""
    complete = [r for r in reports if r.is_whole and law in r.verdicts]
    return any(r.verdicts.get(law) in GOOD for r in complete or reports)


def conclusion(reports: Sequence[EngineReport]) -> str:
    """What the reports come to, in words."""
    disagreements = [r.disagreement.kind for r in reports if r.disagreement is not None]
    if disagreements:
        return disagreements[0]
    status = status_of(reports)
    if status == FAILS:
        fails = any(Verdict.FAILS in r.verdicts.values() for r in reports)
        return "a law fails" if fails else "an operation goes wrong"
    if status == HOLDS:
        return _shown(reports)
    return f"undecided: {_open(reports)}"


def _shown(reports: Sequence[EngineReport]) -> str:
    engines = {r.engine: r for r in reports}
    asked = next((r.clause for r in reports if r.clause), "")
    one = any(law.name == asked for r in reports for law in r.verdicts)
    of = f" {asked}" if one else f" of {asked}" if asked else ""
    every, a = ("the law", "the law") if one else ("every law", "a law")
    if "prove" in engines:
        explored = engines.get("exhaustive")
        if explored is not None and explored.bound:
            return f"{every}{of} holds, for any number of names, and no run of up to {many(explored.bound, 'step')} breaks one"
        too = "" if explored is None else ", and in every state of this geometry"
        if explored is not None and explored.endless:
            too = f"; exploration ended at depth {explored.numbers.depth}, because {GROW_LARGE}"
        elif explored is not None and explored.spared:
            ended = f"; exploration ended at depth {explored.numbers.depth}, because a proof already shows the laws"
            too = f"{ended}: --explore-seconds N explores further"
        return f"{every}{of} holds, for any number of names{too}{_unmet(engines)}"
    if {verdict for r in reports for verdict in r.verdicts.values()} <= {Verdict.ENDED, Verdict.VACUOUS}:
        times = many(sum(number for r in reports for number in r.times.values()), "time")
        return f"pending work{f' ({asked})' if asked else ''} ended wherever it was tried, {times}"
    if "exhaustive" in engines and engines["exhaustive"].is_whole:
        return f"{every}{of} holds in every state of this geometry{engines['exhaustive'].within}"
    never = f"the law{of} was not broken in {{}}" if one else f"no law{of} was broken in {{}}"
    short = f"no run of up to {{}} breaks {a}{of}"
    said = {"exhaustive": short, "bounded": short, "random": never}
    return "; ".join(words.format(many(engines[name].bound, "step")) for name, words in said.items() if name in engines)


def _unmet(engines: Mapping[str, EngineReport]) -> str:
    """How many laws speak of what no random run met, where no exploration to the last state tells whether any run does."""
    explored, runs = engines.get("exhaustive"), engines.get("random")
    if runs is None or (explored is not None and explored.numbers.complete):
        return ""
    laws = [law for law, verdict in runs.verdicts.items() if verdict == Verdict.VACUOUS]
    return f"; random runs never met the premise of {many(len(laws), 'law')}" if laws else ""


def is_cut_short(report: EngineReport) -> bool:
    """Whether an exploration ended before the last state, and found nothing."""
    return (
        report.engine == "exhaustive"
        and report.failure is None
        and report.numbers.states > 0
        and not (report.numbers.complete or report.why or report.bound)
    )


def _cut_short(explored: EngineReport, reports: Sequence[EngineReport]) -> str:
    """What an exploration leaves open whose time was up, or whose memory was full."""
    proved = "; a proof shows every law: --engine prove asks for it alone" if proves_all_of(explored, reports) else ""
    return f"exploration ended before the last state, at depth {explored.numbers.depth}{proved}"


def _may_go_wrong(reports: Sequence[EngineReport]) -> dict[str, str]:
    """The operations of which it is not proved that they never go wrong, each with a way in which it may."""
    found: dict[str, str] = {}
    for each in (each for r in reports for each in r.unproved if SOUNDNESS in each):
        name, _, why = each.partition(SOUNDNESS)
        found.setdefault(name, why.partition(": ")[2].partition(". ")[0])
    return found


def _open(reports: Sequence[EngineReport]) -> str:
    """What is missing."""
    if not reports or not any(r.verdicts for r in reports):
        return "nothing was judged"
    said = [f"{r.engine} gave no answer" for r in reports if r.why]
    said += [f"exploration ended before the last state, because {GROW_LARGE}: bound them by require" for r in reports if r.endless]
    said += [_cut_short(r, reports) for r in reports if is_cut_short(r) and not r.endless]
    if any(Verdict.NOT_INDUCTIVE in r.verdicts.values() for r in reports):
        said.append("a law holds in every state of this geometry; it is not shown for all sizes, because it is not inductive")
    elif any(r.witness is not None and r.witness.broken.law is not None for r in reports):
        others = list(dict.fromkeys(name for r in reports for name in r.refuted_others))
        said.append(
            f"the proof leans on {', '.join(others)}, to which there is a counterexample to induction"
            if others
            else "a law is not inductive, and no run that breaks it was found"
        )
    said += [f"it is not proved that {name} never goes wrong ({how})" for name, how in _may_go_wrong(reports).items()]
    said += [f"it is not proved that what is pending ends ({', '.join(r.may_not_end)})" for r in reports if r.may_not_end]
    if any(SIMULATION in each for r in reports for each in r.unproved):
        said.append("a step may be no step of the bare machine, which guests believe to run on")
    said += [each[: each.index(":")] for r in reports for each in r.unproved if NEVER in each]
    said += [f"nothing can break {each[: -len(IDLE)]}" for r in reports for each in r.unproved if each.endswith(IDLE)]
    laws = list(dict.fromkeys(law for r in reports for law in r.verdicts))
    vacuous = [law for law in laws if not _is_shown(law, reports) and any(r.verdicts.get(law) == Verdict.VACUOUS for r in reports)]
    if vacuous:
        said.append(f"{len(vacuous)} of {many(len(laws), 'law')} {'is' if len(vacuous) == 1 else 'are'} vacuous")
    said_of = {each[: each.index(NEVER)] for r in reports for each in r.unproved if NEVER in each}
    if idle := [name for name in never_applied(reports) if name not in said_of]:
        said.append(applied_nowhere(idle))
    lacking = next((r for r in reports if r.lacking), None)
    if lacking is not None and not any(r.is_whole for r in reports):
        said.append(f"{many(len(lacking.lacking), 'operation')} never applied")
    return "; ".join(said) or _not_shown(laws, reports)


NAMED = 3
"""Laws that a line names."""


def _not_shown(laws: Sequence[Law], reports: Sequence[EngineReport]) -> str:
    """Which laws were not shown, where nothing else is said of why; or which of them one engine did not show."""
    if missing := [law for law in laws if not _is_shown(law, reports)]:
        return f"{_some_of(missing)} {'was' if len(missing) == 1 else 'were'} not shown"
    open_ = {r.engine: [law for law, verdict in r.verdicts.items() if verdict == Verdict.UNDECIDED] for r in reports}
    said = [f"{engine} does not show {_some_of(laws)}" for engine, laws in open_.items() if laws]
    return "; ".join(said) or "not every law was shown"


def _some_of(laws: Sequence[Law]) -> str:
    more = f" and {many(len(laws) - NAMED, 'more law')}" if len(laws) > NAMED else ""
    return f"{', '.join(law.name for law in laws[:NAMED])}{more}"
