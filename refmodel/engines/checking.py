"""All engines over one design, and what they say together.

The words of each verdict are in ``verdicts``. An engine that cannot read the text, or breaks down, does not take the others'
answers with it. A run on ints that breaks a law which another engine showed is a verdict of its own: the engines disagree.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from refmodel.bare_machines import bare_machine_of
from refmodel.engines import bounded, exhaustive, induction, leaning, random
from refmodel.engines.audit import drawn
from refmodel.engines.compiled.comparing import Comparing
from refmodel.engines.corresponding import never_completed
from refmodel.engines.counterexamples import counterexample, counterexamples
from refmodel.engines.machine import PENDING, Broken, Failure, Machine
from refmodel.engines.proof_cache import ProofCache, is_own
from refmodel.engines.suggest import suggest
from refmodel.engines.vacuity import never_met
from refmodel.engines.verdicts import (
    COMPLETE,
    ENGINES_DISAGREE,
    PLEASE,
    READINGS_DISAGREE,
    SIMULATION,
    Disagreement,
    EngineReport,
    Numbers,
    ReadingsDisagree,
    Verdict,
)
from refmodel.engines.words import names_of
from refmodel.language.design import Outline
from refmodel.language.kinds import Geometry
from refmodel.language.laws import Law
from refmodel.language.unsound import BadDesign, Unsound

EVERY_LAW = "every law"
"""What the row of a table is called that says which laws cut paths off, for every proof alike."""
ENGINES = ("prove", "bounded", "exhaustive", "random")
DEFAULT = ("random", "exhaustive", "prove")
WAY_THERE = 20.0
"""Seconds spent on looking for a run that breaks a law which was refuted."""


def usual(design: Outline) -> tuple[str, ...]:
    """The engines that judge a design unless the user says otherwise."""
    return tuple(engine for engine in DEFAULT if engine != "exhaustive" or design.cls.explored)


Notice = Callable[[str, str], None]
"""Told the engine at work and how far it is."""


def examined(design: Outline) -> None:
    """``BadDesign`` if the laws do not hold before anything has happened, or the text cannot be read symbolically."""
    machine = Machine(design, design.cls.geometry)
    broken = machine.broken(None, (), None)
    if broken is not None:
        names = f" for {names_of(broken)}" if names_of(broken) else ""
        law = f"{broken.law.place}: law {broken.law.name}: " if broken.law else ""
        raise BadDesign(f"{law}{design.name}: the initial state breaks {broken.clause}{names}: {broken.sentence}"
                        f"{' ' + broken.error if broken.error else ''}")


def check_random(design: Outline, seconds: float, seed: int, notice: Notice, runs: int | None = None) -> EngineReport:
    """Random runs: for so many seconds, or so many of them however long they take."""
    notice("random", "")
    limit = seconds if runs is None else float("inf")
    return of_campaign(design, random.campaign(design, design.cls.geometry, seconds=limit, runs=runs, start=seed))


def of_campaign(design: Outline, done: random.Campaign) -> EngineReport:
    """What random runs say of a design."""
    geometry = design.cls.geometry
    rate = done.steps / done.seconds if done.seconds else 0
    covered = (f"{done.steps:,} steps in {done.runs:,} runs ({rate:,.0f} a second), every law after every step; {geometry}"
               f"{_under_way(design)}")
    numbers = Numbers(steps=done.steps, runs=done.runs)
    if done.failure is not None:
        return EngineReport("random", _stopped(design, done.failure), covered, done.seconds, done.failure, geometry,
                            bound=done.steps, numbers=numbers)
    verdicts = _held(design, Verdict.NOT_BROKEN, done.met, done.applied)
    return EngineReport("random", verdicts, covered, done.seconds, None, geometry, notes=_never(design, done.applied),
                        bound=done.steps, lacking=_lacking(design, done.applied), numbers=numbers)


def check_exhaustive(design: Outline, seconds: float | None, seed: int, notice: Notice, exact: bool = False) -> EngineReport:
    """Every state of the design's own geometry, and of the others that it names. ``exact``: each state is kept whole, and not as a
    key of 64 bits."""
    began = time.perf_counter()

    def progress(depth: int, classes: int, steps: int) -> None:
        rate = steps / max(time.perf_counter() - began, 1e-3)
        notice("exhaustive", f"depth {depth}, {classes:,} classes of states, {rate:,.0f} steps a second")

    compared = "" if exact else _compared(design, seed)
    geometries = (design.cls.geometry, *design.cls.further_geometries)
    explored = list(exhaustive.in_turn(design, geometries, seconds=seconds, seed=seed, progress=progress, exact=exact))
    covered = [_explored(done, geometry) + _under_way(design) for geometry, done in explored]
    covered[-1] += compared
    geometry, done = next(((g, d) for g, d in explored if d.failure is not None), explored[-1])
    complete = all(d.complete for _, d in explored)
    spent = sum(d.seconds for _, d in explored)
    numbers = Numbers(steps=sum(d.steps for _, d in explored), states=sum(d.states for _, d in explored),
                      classes=sum(d.classes for _, d in explored), depth=max(d.depth for _, d in explored), complete=complete)
    if done.failure is not None:
        return EngineReport("exhaustive", _stopped(design, done.failure), "; and ".join(covered), spent, done.failure, geometry,
                            numbers=numbers)
    applied = sum((d.applied for _, d in explored), Counter[str]())
    if complete:
        verdicts = _held(design, Verdict.HOLDS, frozenset(law for _, d in explored for law in d.met), applied)
    else:
        verdicts = dict.fromkeys(design.laws, Verdict.UNDECIDED)
    return EngineReport("exhaustive", verdicts, "; and ".join(covered), spent, None, design.cls.geometry,
                        notes=_never(design, applied) if complete else (), numbers=numbers)


def _under_way(design: Outline) -> str:
    """What runs on ints leave out of split operations, in words."""
    if not any(op.split for op in design.operations):
        return ""
    return f", at most {PENDING} split operations under way at once"


def _compared(design: Outline, seed: int) -> str:
    """The reading that exploration rests on, held against ints; what was compared, in words."""
    geometry = design.cls.geometry
    native = exhaustive.compiled(design, geometry, seed)
    if native is None:
        return ""
    comparing = Comparing(native)
    compared, wrong = comparing.differences(itertools.chain(*drawn(design, geometry).values()))
    runs, different = comparing.walked()
    if wrong or different:
        raise ReadingsDisagree((wrong or different)[0])
    return f"; {compared} steps and {runs} runs compared with the text on ints"


def _explored(done: exhaustive.Exploration, geometry: Geometry) -> str:
    to_the_end = "to the last state" if done.complete else f"to depth {done.depth}, not to the end"
    return (f"{done.states:,} states in {done.classes:,} classes up to names, {done.steps:,} steps, depth {done.depth}, "
            f"{to_the_end}, {done.reading}{_loss(done)}; {geometry}")


def _loss(done: exhaustive.Exploration) -> str:
    """How likely it is that a state was missed, if that is worth a word."""
    return f" (that keys of 64 bits hide a state has a chance of {done.loss:.0e})" if done.loss > 1e-12 else ""


def check_proof(design: Outline, clause: str | None, notice: Notice, asks_why: bool = False, suggests: bool = False
                ) -> EngineReport:
    """Induction, for any number of names. With a clause, the laws of states that its proof assumes are proved too. The report says
    which laws each proof leans on if it is asked, and suggests laws that make others inductive."""
    began = time.perf_counter()
    needed = design if clause is None else attrs.evolve(
        design, laws=tuple(law for law in design.laws if law.of_state or law.clause == clause))
    judged = tuple(law for law in design.laws if clause in (None, law.clause))
    machine = bare_machine_of(design) if clause is None else None
    done = _proved(needed, None, notice, asks_why, machine)
    if clause is not None and not any(j.law in judged for j in done.judgements() if j.verdict == "refuted") and done.refuted:
        done = _with(done, _proved(needed, clause, notice))  # another law stopped it: what of those that were asked for?
    every = _of_proof(needed, done)
    open_laws = [law for law in needed.laws if law.of_state and every[law] != Verdict.PROVED]
    verdicts = {law: every[law] for law in judged}
    unproved = [f"{j.operation} / {j.law.name if j.law else 'soundness'}: {j.why}" for j in done.judgements()
                if j.verdict == "unknown"]
    for law in judged:  # one law that is not proved puts the others in doubt, since each is assumed for the others
        others = [each.name for each in open_laws if each is not law]
        if verdicts[law] == Verdict.PROVED and others:
            verdicts[law] = Verdict.UNDECIDED
            unproved.append(f"{law.name}: its proof leans on {', '.join(others)}, which {_are(others)} not proved")
    refuted = next((j for j in done.judgements() if j.verdict == "refuted" and j.law in judged), None)
    may_do_without = clause is not None and open_laws and refuted is None  # what is refuted itself leans on nothing
    not_needed = _narrowed(needed, judged, notice) if may_do_without else frozenset()
    if not_needed:
        verdicts.update(dict.fromkeys(judged, Verdict.PROVED))
        unproved = []
    reached = random.campaign(design, design.cls.geometry, seconds=1.0, runs=400)
    vacuous = _vacuous(needed, judged, verdicts, reached, notice)
    verdicts.update(dict.fromkeys(vacuous, Verdict.VACUOUS))
    notes = _never(design, reached.applied) if reached.failure is None else ()
    notes += tuple(f"{p.operation} applies in no lawful state: nothing is said of it" for p in done.proofs if not p.paths)
    notes += tuple(f"{law.name}: {why}" for law, why in vacuous.items())
    notes += tuple(f"{name} is not proved, and the proof of {clause} does not lean on it" for name in sorted(not_needed))
    assumed = len(set(needed.laws) - set(judged))
    if clause is not None and not unproved and not done.refuted and assumed:
        notes += (f"the proof leans on {assumed} other laws of states, which are proved here too",)
    number = sum(j.verdict == "proved" for j in done.judgements())
    covered = (f"{number} obligations proved (operation x law) by induction, for any number of names; "
               f"{done.audited.compared} steps compared with the text on ints")
    if design.cls.no_bare_machine:
        notes += (f"nothing is said of a bare machine: {design.cls.no_bare_machine}",)
    if machine is not None and done.refuted is None:
        words, open_steps = _simulated(needed, done, machine)
        covered, unproved = covered + words, [*unproved, *open_steps]
    report = EngineReport("prove", verdicts, covered, 0.0, None, design.cls.geometry, notes=notes, unproved=tuple(unproved),
                          numbers=Numbers(obligations=number, compared=done.audited.compared))
    if asks_why:
        report = attrs.evolve(report, leans_on=_leaning_table(needed, judged, done))
    refuted = refuted or done.refuted
    if refuted is not None and not not_needed:
        report = _of_refuted(needed, judged, report, refuted, notice, suggests)
    elif reached.failure is None and any(j.law is None and j.verdict == "unknown" for j in done.judgements()):
        notice("prove", "the text may go wrong; looking for counterexamples")
        wrong = _with_witness(needed, judged)
        if wrong:
            report = _with_suggestion(needed, _with_counterexamples(needed, report, wrong[0], wrong), wrong, notice, suggests)
    elif reached.failure is not None and _claims(report, reached.failure.broken):
        report = attrs.evolve(report, disagreement=_disagreement(design, report, "random", reached.failure))
    report = _with_run(report, reached.failure)
    if suggests and not report.suggestion:
        report = attrs.evolve(report, suggestion=(_nothing_to_suggest(report),))
    return attrs.evolve(report, seconds=time.perf_counter() - began)


def _with_run(report: EngineReport, failure: Failure | None) -> EngineReport:
    """A law that is not proved, and that a run breaks, fails: whatever stood in the way of the proof."""
    law = None if failure is None else failure.broken.law
    if law is None or report.failed or report.verdicts.get(law) != Verdict.UNDECIDED:
        return report
    return attrs.evolve(report, verdicts={**report.verdicts, law: Verdict.FAILS}, failure=failure, operation="")


def _nothing_to_suggest(report: EngineReport) -> str:
    if report.failure is not None:
        return "nothing to suggest: a run breaks the law, so no further law makes it hold"
    return "nothing to suggest: no obligation is refuted by a counterexample to induction"


def _narrowed(needed: Outline, judged: Sequence[Law], notice: Notice) -> frozenset[str]:
    """The laws of states that are not proved, if no proof of a judged law leans on one of them; otherwise none."""
    notice("prove", "which laws the proof leans on")
    done = induction.prove(needed, all_failures=True, asks_why=True)
    if not all(leaning.is_shown(done, law.name) for law in judged):
        return frozenset()
    return frozenset(law.name for law in needed.laws) - set(leaning.kept(done))


def _leaning_table(needed: Outline, judged: Sequence[Law], done: induction.Proved) -> dict[str, tuple[str, ...]]:
    """For each judged law that every operation keeps, the laws that its proof leans on; and those that every proof leans on."""
    whole = induction.prove(needed, all_failures=True, asks_why=True) if done.skipped or done.refuted else done
    uses, kept = leaning.table(whole), leaning.kept(whole)
    rows = {law.name: tuple(sorted(uses[law.name])) for law in judged if law.name in kept}
    return {**rows, EVERY_LAW: tuple(sorted(leaning.for_every_law(whole)))}


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _simulated(design: Outline, done: induction.Proved, machine: Outline) -> tuple[str, tuple[str, ...]]:
    """That the operations' steps are those of a machine, in words; and what is not proved of that."""
    found = [p.simulated for p in done.proofs if p.simulated is not None]
    wrong = tuple(f"{each.operation}{SIMULATION}{why}" for each in found for why in each.failing[:1])
    never = never_completed(design, machine, found)
    wrong += tuple(f"{name}{SIMULATION}it always exits, and nothing completes it" for name in never)
    if wrong:
        names = ", ".join(op.name for op in machine.operations)
        return "", (*wrong, f"refmodel refine looks for a run with a step that is none of {machine.name}'s ({names}). If a step is "
                            "meant to be one of these, the class says which: steps = {\"operation\": (\"gain_page\",)}")
    return f"; each step of {len(found)} operations is one of {machine.name}'s, the machine that guests believe in, or none", ()


def _proved(design: Outline, clause: str | None, notice: Notice, asks_why: bool = False, machine: Outline | None = None
            ) -> induction.Proved:
    seen: list[str] = []

    def progress(operation: str) -> None:
        seen.append(operation)
        notice("prove", f"{len(seen)} of {len(design.operations)} operations")

    notice("prove", "")
    done = induction.prove(design, clause=clause, progress=progress, asks_why=asks_why, machine=machine)
    if done.audited.disagreements:
        raise ReadingsDisagree(done.audited.disagreements[0])
    return done


def _with(one: induction.Proved, other: induction.Proved) -> induction.Proved:
    """Both proofs' judgements: the second is about one clause, and says so of every operation that it got to."""
    return induction.Proved((*one.proofs, *other.proofs), tuple(dict.fromkeys((*one.skipped, *other.skipped))),
                            one.seconds + other.seconds, one.audited)


def _of_proof(design: Outline, done: induction.Proved) -> dict[Law, Verdict]:
    """What became of each law; a law is proved if each operation was looked at with it."""
    verdicts = dict.fromkeys(design.laws, Verdict.UNDECIDED if done.skipped else Verdict.PROVED)
    for j in done.judgements():
        if j.law is not None and j.verdict != "proved":
            verdicts[j.law] = Verdict.UNDECIDED
    if any(j.law is None and j.verdict != "proved" for j in done.judgements()):
        return dict.fromkeys(verdicts, Verdict.UNDECIDED)
    return verdicts


def _vacuous(needed: Outline, judged: Sequence[Law], verdicts: dict[Law, Verdict], reached: random.Campaign,
             notice: Notice) -> dict[Law, str]:
    """The laws that say nothing: no operation's outcome is of their type, or their premise can never hold."""
    asked = [law for law in judged if verdicts[law] == Verdict.PROVED and law not in reached.met]
    notice("prove", "laws whose premise was not met")
    found = {}
    for law in asked:
        if not law.of_state and not any(law.applies_to(op.returns) for op in needed.operations):
            found[law] = "no operation has an outcome of the type that it is about"
        elif needed.is_conditional(law) and never_met(needed, law):
            found[law] = "its premise holds in no lawful state"
    return found


def _of_refuted(design: Outline, judged: Sequence[Law], report: EngineReport, refuted: induction.Judgement, notice: Notice,
                suggests: bool) -> EngineReport:
    """A law is not inductive. Whether a run breaks it is another question."""
    law = refuted.law
    if law is None or law not in judged:
        return _with_suggestion(design, _with_counterexamples(design, report, refuted, (refuted,)), (refuted,), notice, suggests)
    notice("prove", "a law is refuted; looking for a run that breaks it")
    report, found = _looked_for(design, report, refuted.operation, (law,))
    if found:
        return report
    notice("prove", "a law is not inductive; looking for every obligation that is refuted")
    every = _with_witness(design, judged)
    others = tuple(dict.fromkeys(j.law for j in every if j.law is not None and j.law is not law))
    if others:
        report, found = _looked_for(design, report, next(j.operation for j in every if j.law in others), others)
        if found:
            return report
    return _with_suggestion(design, _with_counterexamples(design, report, refuted, every), every or (refuted,), notice, suggests)


def _with_suggestion(design: Outline, report: EngineReport, refuted: Sequence[induction.Judgement], notice: Notice, suggests: bool
                     ) -> EngineReport:
    """The report with laws that exclude the counterexamples, if they are asked for."""
    if not suggests:
        return report
    found = suggest(design, refuted, lambda text: notice("suggest", text))
    return attrs.evolve(report, suggestion=(found.checked, found.tried), suggested=found.text)


def _with_witness(design: Outline, judged: Sequence[Law]) -> tuple[induction.Judgement, ...]:
    """Every obligation with a counterexample, of these laws and of the text."""
    judgements = induction.prove(design, all_failures=True).judgements()
    return tuple(j for j in judgements if j.witness is not None and (j.law is None or j.law in judged))


def _looked_for(design: Outline, report: EngineReport, operation: str, laws: tuple[Law, ...]) -> tuple[EngineReport, bool]:
    """The report with a run that breaks one of these laws, if exploration finds one, and whether it did."""
    verdicts = dict(report.verdicts)
    names = ", ".join(law.name for law in laws)
    try:
        done = exhaustive.explore(attrs.evolve(design, laws=laws), design.cls.geometry, seconds=WAY_THERE)
    except (Unsound, BadDesign) as why:
        return attrs.evolve(report, notes=(*report.notes, f"{names}: no run was looked for, because {why}")), False
    if done.failure is not None:
        verdicts[done.failure.broken.law or laws[0]] = Verdict.FAILS
        return attrs.evolve(report, verdicts=verdicts, failure=done.failure, operation=operation), True
    if done.complete:
        verdicts.update(dict.fromkeys(laws, Verdict.NOT_INDUCTIVE))
    words = f"{names}: {_explored(done, design.cls.geometry)}, and no run breaks {'it' if len(laws) == 1 else 'them'}"
    return attrs.evolve(report, verdicts=verdicts, notes=(*report.notes, words)), False


def _with_counterexamples(design: Outline, report: EngineReport, first: induction.Judgement, every: Sequence[induction.Judgement]
                          ) -> EngineReport:
    """The report with each counterexample; the first that was found is shown in any case."""
    told = counterexamples(design, every)
    if not told and first.witness is not None:
        told = (counterexample(design, first.operation, first.witness),)
    if not told:
        return attrs.evolve(report, operation=first.operation)
    return attrs.evolve(report, witness=told[0].witness, operation=told[0].operation, counterexamples=told)


def check_bounded(design: Outline, clause: str | None, depth: int, seconds: float, notice: Notice) -> EngineReport:
    """Every run from power-on of so many steps, by the solver."""
    notice("bounded", "")
    done = bounded.search(design, depth, clause=clause, seconds=seconds,
                          progress=lambda step: notice("bounded", f"runs of {step} steps"))
    judged = design if clause is None else design.restricted(clause)
    end = "" if done.complete or done.failure else f", not to {depth}: the time was up"
    covered = f"every run of up to {done.depth} steps from power-on{end}; {design.cls.geometry}"
    numbers = Numbers(depth=done.depth, complete=done.complete)
    if done.failure is not None:
        return EngineReport("bounded", _stopped(judged, done.failure), covered, done.seconds, done.failure, design.cls.geometry,
                            bound=done.depth, numbers=numbers)
    if not done.complete:
        verdicts = dict.fromkeys(judged.laws, Verdict.UNDECIDED)
        return EngineReport("bounded", verdicts, covered, done.seconds, None, design.cls.geometry, bound=done.depth,
                            numbers=numbers)
    short = random.campaign(judged, design.cls.geometry, seconds=float("inf"), runs=SHORT_RUNS, deepest=depth)
    if short.failure is not None:  # the search went to the end, and said that there is none
        report = EngineReport("bounded", dict.fromkeys(judged.laws, Verdict.NO_RUN), covered, done.seconds, bound=depth,
                              numbers=numbers)
        return attrs.evolve(report, disagreement=_disagreement(design, report, "random", short.failure))
    notes = tuple(f"{each} in the short runs that were drawn" for each in _never(design, short.applied))
    return EngineReport("bounded", _held(judged, Verdict.NO_RUN, short.met, short.applied), covered, done.seconds,
                        None, design.cls.geometry, notes=notes, bound=done.depth, lacking=_lacking(design, short.applied),
                        numbers=numbers)


SHORT_RUNS = 600
"""Random runs that show what applies, and which laws are met, within as few steps as a bounded search looked at."""


def _stopped(design: Outline, failure: Failure) -> dict[Law, Verdict]:
    """A run that breaks a law ended the search: nothing is said of the others."""
    verdicts = dict.fromkeys(design.laws, Verdict.UNDECIDED)
    if failure.broken.law is not None:
        verdicts[failure.broken.law] = Verdict.FAILS
    return verdicts


def _held(design: Outline, verdict: Verdict, met: frozenset[Law], applied: Counter[str]) -> dict[Law, Verdict]:
    """The verdict; laws of which nothing was met are vacuous. A law about steps needs a step that it is about."""
    returned = {op.returns for op in design.operations if applied.get(op.name)}
    faults = any(applied.values())

    def is_met(law: Law) -> bool:
        if design.is_conditional(law):
            return law in met
        return law.of_state or (faults if law.outcome is None else law.outcome in returned or law in met)

    return {law: verdict if is_met(law) else Verdict.VACUOUS for law in design.laws}


def _lacking(design: Outline, applied: Counter[str]) -> tuple[str, ...]:
    return tuple(op.name for op in design.operations if not applied.get(op.name))


def _never(design: Outline, applied: dict[str, int]) -> tuple[str, ...]:
    """What was not seen: operations that never applied, and methods that nothing calls."""
    never = tuple(f"{op.name} never applied" for op in design.operations if not applied.get(op.name))
    return never + tuple(f"{name} is called by nothing: is @operation or @guest missing?" for name in design.text.unreached)


# ---------------------------------------------------------------- disagreement


def _claims(report: EngineReport, broken: Broken) -> bool:
    """Whether a report says that no run does this. A text that aborts breaks what is claimed of every law together."""
    shown = (Verdict.PROVED, Verdict.HOLDS, Verdict.NO_RUN, Verdict.VACUOUS)
    if broken.law is None:
        return bool(report.verdicts) and all(v in shown for v in report.verdicts.values())
    return report.verdicts.get(broken.law) in shown


def _disagreement(design: Outline, report: EngineReport, other: str, failure: Failure) -> Disagreement:
    broken = failure.broken
    law = broken.law.name if broken.law else broken.clause
    said = report.words(broken.law) if broken.law in report.verdicts else "every law holds"
    names = f" for {names_of(broken)}" if names_of(broken) else ""
    run = f"A run of {len(failure.run.steps)} steps, found by {other}, breaks it{names}."
    return Disagreement(ENGINES_DISAGREE, f"{report.engine} says of {law}: {said}. {run} {PLEASE}", failure)


def compared(design: Outline, reports: Sequence[EngineReport]) -> list[EngineReport]:
    """The reports, with a disagreement where a run breaks what another engine showed."""
    found = []
    for report in reports:
        against = next((r for r in reports if r.failure is not None and r is not report and report.engine in (*COMPLETE, "bounded")
                        and _within(report, r) and _claims(report, r.failure.broken)), None)
        if against is not None and against.failure is not None and report.disagreement is None:
            report = attrs.evolve(report, disagreement=_disagreement(design, report, against.engine, against.failure))  # noqa: PLW2901
        found.append(report)
    return found


def _within(report: EngineReport, other: EngineReport) -> bool:
    """Whether a report speaks of the other's run: a proof of every run, an exploration of its geometry, a search of short runs."""
    if report.engine == "prove":
        return True
    short = report.engine != "bounded" or (other.failure is not None and len(other.failure.run.steps) <= report.bound)
    return report.geometry == other.geometry and short


# ---------------------------------------------------------------- all engines


def _theorem(design: Outline, engine: str, clause: str | None, explore_seconds: float | None, seed: int,
             exact: bool) -> str | None:
    """What an engine would show of a design, as a name; None for a design that is not refmodel's own, since what its text depends
    on is not known."""
    cls = design.cls
    if engine not in COMPLETE or not is_own(cls.__module__) or "<locals>" in cls.__qualname__:
        return None
    bound = f" {explore_seconds} {'exact' if exact else seed}" if engine == "exhaustive" else ""
    return f"{engine} {cls.__module__}.{cls.__qualname__} {clause} {cls.geometry!r}{bound}"


def _text(design: Outline) -> str:
    """What the answer depends on: the text of the design's classes, of its laws, and of the engines."""
    modules = {*(base.__module__ for base in design.cls.__mro__), *(law.function.__module__ for law in design.laws)} - {"builtins"}
    return " ".join([*sorted(modules), "refmodel.engines.checking"])


def _recalled(design: Outline, engine: str, kept: dict[str, Any]) -> EngineReport | None:
    """The report that was kept; None if what was kept is not one of these laws."""
    try:
        laws = {law.name: law for law in design.laws}
        verdicts = {laws[name]: Verdict(verdict) for name, verdict in kept["verdicts"].items()}
        notes = tuple(str(note) for note in kept["notes"])
        covered, seconds, numbers = str(kept["covered"]), float(kept["seconds"]), Numbers(**kept["numbers"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    report = EngineReport(engine, verdicts, f"{covered}; remembered of the very same text", seconds,
                          geometry=design.cls.geometry, notes=notes, remembered=True, numbers=numbers)
    return None if report.failed or report.undecided else report


def check(design: Outline, engines: Sequence[str] = DEFAULT, *, clause: str | None = None, seconds: float = 5.0,
          runs: int | None = None, explore_seconds: float | None = None, depth: int = 4, seed: int = 0,
          notice: Notice = lambda engine, text: None, cache: ProofCache | None = None, asks_why: bool = False,
          suggests: bool = False, exact: bool = False,
          finished: Callable[[EngineReport], None] = lambda report: None) -> list[EngineReport]:
    """Let the engines judge a design, one after the other; ``finished`` is told each report as it comes.

    ``asks_why``: the proof says which laws it used for each law. ``suggests``: laws are looked for that make others inductive.
    ``exact``: exploration keeps every state whole. ``BadDesign`` if it is no design, or if no engine can read it. With a cache,
    what was proved or explored before of the very same text is not again.
    """
    for engine in engines:
        if engine not in ENGINES:
            raise BadDesign(f"{engine}: no such engine; expected one of {', '.join(ENGINES)}")
    examined(design)
    reports: list[EngineReport] = []
    refused: list[str] = []
    for report in _reports(design, engines, refused, clause=clause, seconds=seconds, runs=runs,
                           explore_seconds=explore_seconds, depth=depth, seed=seed, notice=notice, cache=cache, asks_why=asks_why,
                           suggests=suggests, exact=exact):
        report = attrs.evolve(report, clause=clause or "")  # noqa: PLW2901
        reports.append(report)
        if len(refused) < len(reports) or len(engines) > 1:
            finished(report)
    if refused and len(refused) == len(reports):
        raise BadDesign(refused[0])
    return compared(design, reports)


def _reports(design: Outline, engines: Sequence[str], refused: list[str], *, clause: str | None, seconds: float, runs: int | None,
             explore_seconds: float | None, depth: int, seed: int, notice: Notice, cache: ProofCache | None,
             asks_why: bool, suggests: bool, exact: bool) -> Iterator[EngineReport]:
    judged = design if clause is None else design.restricted(clause)
    work: dict[str, Callable[[], EngineReport]] = {
        "random": lambda: check_random(judged, seconds, seed, notice, runs),
        "exhaustive": lambda: check_exhaustive(judged, explore_seconds, seed + 1, notice, exact),
        "prove": lambda: check_proof(design, clause, notice, asks_why, suggests),
        "bounded": lambda: check_bounded(design, clause, depth, 120.0, notice),
    }
    for engine in engines:
        theorem = _theorem(design, engine, clause, explore_seconds, seed, exact) if cache and not (asks_why or suggests) else None
        if cache and theorem and (kept := cache.recall(theorem, _text(design))):
            recalled = _recalled(judged, engine, kept)
            if recalled is not None:
                yield recalled
                continue
        began = time.perf_counter()
        try:
            done = work[engine]()
        except ReadingsDisagree as case:
            yield _without(judged, engine, time.perf_counter() - began, str(case),
                           Disagreement(READINGS_DISAGREE, f"{case} {PLEASE}"))
            continue
        except (BadDesign, Unsound, induction.Refusal) as why:
            refused.append(f"{why}" if isinstance(why, BadDesign) else f"the text means something else on solver terms: {why}")
            yield _without(judged, engine, time.perf_counter() - began, refused[-1])
            continue
        except Exception as why:
            yield _without(judged, engine, time.perf_counter() - began, f"the engine broke down: {type(why).__name__}: {why}")
            continue
        if cache and theorem and not done.failed and not done.undecided:
            cache.keep(theorem, _text(design), done.seconds, covered=done.covered, notes=list(done.notes),
                       numbers=attrs.asdict(done.numbers),
                       verdicts={law.name: str(verdict) for law, verdict in done.verdicts.items()})
        yield done


def _without(design: Outline, engine: str, seconds: float, why: str, disagreement: Disagreement | None = None) -> EngineReport:
    """The report of an engine that gave no answer."""
    verdicts = dict.fromkeys(design.laws, Verdict.UNDECIDED)
    return EngineReport(engine, verdicts, "nothing", seconds, why=why, disagreement=disagreement)
