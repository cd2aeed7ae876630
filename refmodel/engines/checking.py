"""All engines over one design, and what they say together.

The words of each verdict are in ``verdicts``. An engine that cannot read the text, or breaks down, does not take the others'
answers with it. A run on ints that breaks a law which another engine showed is a verdict of its own: the engines disagree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import attrs

from refmodel.bare_machines import bare_machine_of
from refmodel.engines import induction
from refmodel.engines.asked import USUAL, Asked, Notice
from refmodel.engines.corresponding import refuse_odd_steps
from refmodel.engines.disagreeing import with_disagreements
from refmodel.engines.layout import TooLarge
from refmodel.engines.machine import Machine
from refmodel.engines.proof_cache import ProofCache, is_own
from refmodel.engines.reports_of_explorations import check_exhaustive
from refmodel.engines.reports_of_proofs import check_proof
from refmodel.engines.reports_of_runs import check_bounded, check_random
from refmodel.engines.unmet import with_unmet
from refmodel.engines.verdicts import (
    COMPLETE,
    PLEASE,
    READINGS_DISAGREE,
    Disagreement,
    EngineReport,
    Numbers,
    ReadingsDisagree,
    Verdict,
    is_cut_short,
    proves_all_of,
)
from refmodel.engines.words import names_of
from refmodel.language.design import Outline
from refmodel.language.gathering import left_out_by
from refmodel.language.nearly import nearly_or
from refmodel.language.unsound import BadDesign, Unsound

ENGINES = ("prove", "bounded", "exhaustive", "random")
DEFAULT = ("random", "exhaustive", "prove")
BEFORE_THE_PROOF = 60.0
"""Seconds of an exploration that nobody has bounded, before a proof that is wanted too comes first. What is proved of every law has
no size, so the exploration ends there; otherwise it begins again, and goes to the last state."""
OF_PENDING = ("random", "exhaustive", "prove")
"""The engines that tell whether what is pending is ended."""


def usual(design: Outline) -> tuple[str, ...]:
    """The engines that judge a design unless the user says otherwise."""
    return tuple(engine for engine in DEFAULT if engine != "exhaustive" or design.cls.explored)


def examined(design: Outline) -> None:
    """``BadDesign`` if the laws do not hold before anything has happened, the text cannot be read symbolically, or it says that an
    operation is a step of the bare machine's that cannot be meant."""
    machine = Machine(design, design.cls.geometry)
    broken = machine.broken(None, (), None)
    if broken is not None:
        names = f" for {names_of(broken)}" if names_of(broken) else ""
        law = f"{broken.law.place}: law {broken.law.name}: " if broken.law else ""
        raise BadDesign(
            f"{law}{design.name}: the initial state breaks {broken.clause}{names}: "
            + (f"{broken.sentence.rstrip('.')}: {broken.error}" if broken.error else broken.sentence)
        )
    bare = bare_machine_of(design)
    if bare is not None:
        refuse_odd_steps(design, bare)


def check(
    design: Outline,
    engines: Sequence[str] = DEFAULT,
    asked: Asked = USUAL,
    *,
    notice: Notice = lambda engine, text: None,
    cache: ProofCache | None = None,
    finished: Callable[[EngineReport], None] = lambda report: None,
) -> list[EngineReport]:
    """Let the engines judge a design, one after the other; ``finished`` is told each report as it comes.

    ``BadDesign`` if it is no design, or if no engine can read it. With a cache, what was proved or explored before of the very same
    text is not again.
    """
    for engine in engines:
        if engine not in ENGINES:
            raise BadDesign(f"{engine}: no such engine; {nearly_or(engine, ENGINES, 'expected one of ' + ', '.join(ENGINES))}")
    examined(design)
    reports: list[EngineReport] = []
    refused: list[str] = []
    unjudged = _unjudged(design, engines, asked)

    def so_far(report: EngineReport) -> None:
        whole = attrs.evolve(report, clause=asked.clause or "", notes=(*report.notes, *unjudged))
        asked.so_far(with_unmet(design, [*reports, whole])[-1])

    for report in _reports(design, engines, attrs.evolve(asked, so_far=so_far), refused, notice, cache):
        report = attrs.evolve(report, clause=asked.clause or "", notes=(*report.notes, *unjudged))  # noqa: PLW2901
        reports = with_unmet(design, [*reports, report])
        if len(refused) < len(reports) or len(engines) > 1:
            finished(reports[-1])
    if refused and len(refused) == len(reports):
        raise BadDesign(refused[0])
    return with_disagreements(reports)


def _unjudged(design: Outline, engines: Sequence[str], asked: Asked) -> tuple[str, ...]:
    """What is claimed of the design and none of the engines judges."""
    left_out = tuple(
        f"{law.place}: law {law.clause} ({law.name}) is not judged: it is not among the laws of {design.name}"
        for law in left_out_by(design.cls, [op.returns for op in design.operations])
        if law not in design.claims
    )
    pending = [each.name for each in design.pending if each.law.is_asked(asked.clause)]
    if not pending or set(engines) & set(OF_PENDING):
        return left_out
    return (
        *left_out,
        f"not judged: that what is pending ends ({', '.join(pending)}); the engines random, exhaustive and prove judge it",
    )


def _reports(
    design: Outline, engines: Sequence[str], asked: Asked, refused: list[str], notice: Notice, cache: ProofCache | None
) -> Iterator[EngineReport]:
    """Each engine's report; why those that cannot read the text refuse it is added to ``refused``."""
    judged = design if asked.clause is None else design.restricted(asked.clause)

    def made(engine: str, working: Asked = asked) -> EngineReport:
        keeps = None if cache is None else _Kept.of(cache, design, engine, asked)
        report = keeps.recalled(judged) if keeps else None
        if report is None:
            report = _report(design, judged, engine, working, refused, notice)
            if keeps and not report.failed and not report.undecided:
                keeps.keep(report)
        return report

    left, fails = list(engines), False
    while left:
        engine = left.pop(0)
        if fails:
            asked = attrs.evolve(asked, tries_harder=False)
        if judged.pending and not judged.laws and engine not in OF_PENDING:
            if not set(engines) & set(OF_PENDING):
                yield EngineReport(engine, dict.fromkeys(judged.claims, Verdict.UNDECIDED), "nothing", 0.0)
        elif engine == "exhaustive" and "prove" in left and asked.explore_seconds is asked.explore_depth is None:
            report = made(engine, attrs.evolve(asked, explore_seconds=BEFORE_THE_PROOF))
            if is_cut_short(report) and not report.endless:
                left.remove("prove")
                proof = made("prove")
                yield proof
                if proves_all_of(report, [proof]):
                    report = attrs.evolve(report, spared=True)
                elif report.seconds >= BEFORE_THE_PROOF:  # its memory was not full before
                    report = made(engine)
            fails = fails or report.failed
            yield report
        else:
            report = made(engine, asked)
            fails = fails or report.failed
            yield report


def _report(design: Outline, judged: Outline, engine: str, asked: Asked, refused: list[str], notice: Notice) -> EngineReport:
    """What an engine says. Whatever becomes of it, there is a report."""
    work: dict[str, Callable[[], EngineReport]] = {
        "random": lambda: check_random(judged, asked, notice),
        "exhaustive": lambda: check_exhaustive(judged, asked, notice),
        "prove": lambda: check_proof(design, asked, notice),
        "bounded": lambda: check_bounded(design, asked, notice),
    }
    began = time.perf_counter()

    def nothing(why: str, disagreement: Disagreement | None = None) -> EngineReport:
        verdicts = dict.fromkeys(judged.claims, Verdict.UNDECIDED)
        return EngineReport(engine, verdicts, "nothing", time.perf_counter() - began, why=why, disagreement=disagreement)

    try:
        return _without_what_nothing_can_break(judged, work[engine]())
    except ReadingsDisagree as case:
        return nothing(str(case), Disagreement(READINGS_DISAGREE, f"{case} {PLEASE}"))
    except TooLarge as why:  # of the design as a whole: no line of its text is wrong
        refused.append(f"{design.name}: {why.why}")
        return nothing(refused[-1])
    except (BadDesign, Unsound, induction.Refusal) as why:
        refused.append(f"{why}" if isinstance(why, BadDesign) else f"the text means something else on solver terms: {why}")
        return nothing(refused[-1])
    except Exception as why:
        return nothing(f"the engine broke down: {type(why).__name__}: {why}")


def _without_what_nothing_can_break(judged: Outline, report: EngineReport) -> EngineReport:
    """A law of states that looks at no table, and asks nothing else of the design, says nothing: no state was looked at for it. (A
    proof says so of more laws, by the solver.)"""
    idle = [
        law
        for law in judged.laws
        if law.of_state
        and report.verdicts.get(law) in (Verdict.HOLDS, Verdict.NOT_BROKEN, Verdict.NO_RUN)
        and not judged.reads(law)
        and judged.mentions(law).isdisjoint(dir(judged.cls))
    ]
    verdicts = {**report.verdicts, **dict.fromkeys(idle, Verdict.VACUOUS)}
    notes = tuple(f"{law.name}: looks at no table, so nothing can break it" for law in idle)
    return attrs.evolve(report, verdicts=verdicts, notes=(*report.notes, *notes))


# ---------------------------------------------------------------- what was shown before


@attrs.frozen
class _Kept:
    """What was shown of the very same text, to be recalled or kept."""

    cache: ProofCache
    theorem: str
    text: str
    """The modules that the answer depends on: those of the design's classes, of its laws, and of the engines."""
    design: Outline
    engine: str

    @classmethod
    def of(cls, cache: ProofCache, design: Outline, engine: str, asked: Asked) -> _Kept | None:
        """None for a design that is not refmodel's own, since what its text depends on is not known; and for answers that are made
        for somebody to read."""
        about = design.cls
        is_known = is_own(about.__module__) and "<locals>" not in about.__qualname__
        if engine not in COMPLETE or not is_known or asked.why or asked.suggests or asked.explore_depth:
            return None
        bound = f" {asked.explore_seconds} {'exact' if asked.exact else asked.seed}" if engine == "exhaustive" else ""
        theorem = f"{engine} {about.__module__}.{about.__qualname__} {asked.clause} {about.geometry!r}{bound}"
        modules = {*(base.__module__ for base in about.__mro__), *(law.function.__module__ for law in design.laws)} - {"builtins"}
        return cls(cache, theorem, " ".join([*sorted(modules), "refmodel.engines.checking"]), design, engine)

    def recalled(self, judged: Outline) -> EngineReport | None:
        """The report that was kept; None if there is none, or if what was kept is not one of these laws."""
        kept = self.cache.recall(self.theorem, self.text)
        if not kept:
            return None
        try:
            laws = {law.name: law for law in judged.claims}
            verdicts = {laws[name]: Verdict(verdict) for name, verdict in kept["verdicts"].items()}
            notes, lacking = (tuple(map(str, kept[name])) for name in ("notes", "lacking"))
            covered, seconds, numbers = str(kept["covered"]), float(kept["seconds"]), Numbers(**kept["numbers"])
            within = str(kept["within"])
        except (KeyError, ValueError, TypeError, AttributeError):
            return None
        report = EngineReport(
            self.engine,
            verdicts,
            f"{covered}; remembered: the code has not changed since",
            seconds,
            geometry=judged.cls.geometry,
            notes=notes,
            lacking=lacking,
            within=within,
            remembered=True,
            numbers=numbers,
        )
        return None if report.failed or report.undecided else report

    def keep(self, report: EngineReport) -> None:
        """Remember a report that shows what was asked."""
        self.cache.keep(
            self.theorem,
            self.text,
            report.seconds,
            covered=report.covered,
            notes=list(report.notes),
            lacking=list(report.lacking),
            within=report.within,
            numbers=attrs.asdict(report.numbers),
            verdicts={law.name: str(verdict) for law, verdict in report.verdicts.items()},
        )
