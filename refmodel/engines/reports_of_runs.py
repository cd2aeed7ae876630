"""What random runs, explorations and bounded searches say of each law of a design."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from refmodel.engines import bounded, exhaustive, plain_code, random
from refmodel.engines.asked import Asked, Notice
from refmodel.engines.audit import drawn
from refmodel.engines.compiled.comparing import Comparing
from refmodel.engines.disagreeing import disagreement
from refmodel.engines.exploration import COMPILED, Branch
from refmodel.engines.layout import TOO_LARGE
from refmodel.engines.machine import Failure
from refmodel.engines.progress_runs import Ended, end_everything
from refmodel.engines.scope import sorts_of
from refmodel.engines.spoken_numbers import given_kinds, with_spoken_numbers
from refmodel.engines.unseen import is_turned_off, never, never_changed, not_met, not_taken
from refmodel.engines.verdicts import EngineReport, Numbers, ReadingsDisagree, Verdict
from refmodel.language.design import Outline
from refmodel.language.kinds import Kind, NaturalKind, PageKind, RecordKind, WordKind
from refmodel.language.laws import Law
from refmodel.language.plurals import many
from refmodel.language.sizes import Geometry

SHORT_RUNS = 600
"""Random runs that show what applies, and which laws are met, within as few steps as a bounded search looked at."""
BOUNDED_SECONDS = 120.0
"""How long a bounded search may take."""


def check_random(design: Outline, asked: Asked, notice: Notice) -> EngineReport:
    """Random runs in the design's own geometry, in the others that it names, and with the numbers that its text speaks of: for so
    many seconds in all, or so many runs in each, however long they take."""
    notice("random", "")
    own = (design.cls.geometry, *design.cls.further_geometries)
    wider = with_spoken_numbers(design, own[0])
    geometries = own if wider == own[0] else (*own, wider)
    limit = asked.seconds / len(geometries) if asked.runs is None else float("inf")
    done = list[random.Campaign]()
    for geometry in geometries:
        done.append(random.campaign(design, geometry, seconds=limit, runs=asked.runs, start=asked.seed))
        if done[-1].failure is not None:
            break
    return of_campaign(design, random.together(done), geometries[: len(done)])


def of_campaign(design: Outline, done: random.Campaign, geometries: Sequence[Geometry]) -> EngineReport:
    """What random runs in some geometries say of a design. If they broke a law, they did so in the last."""
    geometry = geometries[-1]
    rate = done.steps / done.seconds if done.seconds else 0
    there = ", and ".join(there_is(design, each) for each in geometries)
    covered = f"{many(done.steps, 'step')} in {many(done.runs, 'run')} ({rate:,.0f} a second), every law after every step; {there}"
    numbers = Numbers(steps=done.steps, runs=done.runs)
    if done.failure is not None:
        return EngineReport(
            "random",
            _stopped(design, done.failure),
            covered,
            done.seconds,
            done.failure,
            geometry,
            bound=done.steps,
            numbers=numbers,
        )
    ended, geometry = _ended_somewhere(design, geometries)
    verdicts = {**_held(design, Verdict.NOT_BROKEN, done.met, done.applied), **_ended(design, ended)}
    if ended.failure is not None:
        return EngineReport("random", verdicts, covered, done.seconds, ended.failure, geometry, bound=done.steps, numbers=numbers)
    times = {each.law: ended.ended[each.name] for each in design.pending}
    return EngineReport(
        "random",
        verdicts,
        covered,
        done.seconds,
        None,
        geometry,
        notes=never(design, done.applied),
        bound=done.steps,
        times=times,
        lacking=never_taken(design, done.applied),
        numbers=numbers,
    )


def _ended_somewhere(design: Outline, geometries: Sequence[Geometry]) -> tuple[Ended, Geometry]:
    """What is pending is ended in each of these geometries, until each condition was; and the last geometry that was needed."""
    ended = Ended(None, Counter[str]())
    for geometry in geometries:
        left = {each.law for each in design.pending if not ended.ended[each.name]}
        found = end_everything(design.judging(left.__contains__), geometry)
        ended = Ended(found.failure, ended.ended + found.ended)
        if found.failure is not None or all(ended.ended[each.name] for each in design.pending):
            break
    return ended, geometry


def _ended(design: Outline, ended: Ended) -> dict[Law, Verdict]:
    """What runs say of what is pending: it is not ended, was ended wherever it was met, or was met nowhere."""
    stuck = ended.failure.broken.law if ended.failure is not None else None
    held = Verdict.UNDECIDED if ended.failure is not None else Verdict.ENDED
    return {
        each.law: Verdict.FAILS if each.law is stuck else held if ended.ended[each.name] else Verdict.VACUOUS
        for each in design.pending
    }


def check_exhaustive(design: Outline, asked: Asked, notice: Notice) -> EngineReport:
    """Every state of the design's own geometry, and of the others that it names; or every run of so many steps in them."""
    began = time.perf_counter()

    def progress(depth: int, classes: int, steps: int) -> None:
        rate = steps / max(time.perf_counter() - began, 1e-3)
        notice("exhaustive", f"depth {depth}, {classes:,} classes of states, {rate:,.0f} steps a second")

    seed = asked.seed + 1
    compared = "" if asked.exact else _compared(design, seed)
    geometries = (design.cls.geometry, *design.cls.further_geometries)
    explored = list(
        exhaustive.in_turn(
            design,
            geometries,
            seconds=asked.explore_seconds,
            seed=seed,
            progress=progress,
            exact=asked.exact,
            where=asked.where,
            deepest=asked.explore_depth,
        )
    )
    covered = [explored_words(done, there_is(design, geometry), asked.explore_depth) for geometry, done in explored]
    covered[-1] += compared
    geometry, done = next(((g, d) for g, d in explored if d.failure is not None), explored[-1])
    complete = all(d.complete for _, d in explored)
    spent = sum(d.seconds for _, d in explored)
    branches, taken = (frozenset[Branch]().union(*(getattr(d, name) for _, d in explored)) for name in ("branches", "taken"))
    numbers = Numbers(
        steps=sum(d.steps for _, d in explored),
        states=sum(d.states for _, d in explored),
        classes=sum(d.classes for _, d in explored),
        depth=max(d.depth for _, d in explored),
        complete=complete,
        branches=len(branches),
        taken=len(taken),
    )
    if done.failure is not None:
        return EngineReport(
            "exhaustive", _stopped(design, done.failure), "; and ".join(covered), spent, done.failure, geometry, numbers=numbers
        )
    applied = sum((d.applied for _, d in explored), Counter[str]())
    if complete:
        met = frozenset(law for _, d in explored for law in d.met)
        verdicts = _held(design, Verdict.HOLDS, met, applied)
        parts, parts_met = (frozenset[Law]().union(*(getattr(d, name) for _, d in explored)) for name in ("parts", "parts_met"))
        notes = never(design, applied) + not_taken(design, branches, taken) + not_met(design, parts - parts_met, verdicts)
        if all(d.reading == COMPILED for _, d in explored):
            notes += never_changed(design, frozenset().union(*(d.changed for _, d in explored)))
    elif asked.explore_depth and all(d.complete or d.judged >= asked.explore_depth for _, d in explored):
        met = frozenset(law for _, d in explored for law in d.met)
        return EngineReport(
            "exhaustive",
            _held(design, Verdict.NO_RUN, met, applied),
            "; and ".join(covered),
            spent,
            None,
            design.cls.geometry,
            notes=never(design, applied),
            bound=asked.explore_depth,
            lacking=never_taken(design, applied),
            numbers=numbers,
        )
    else:
        verdicts, notes = dict.fromkeys(design.laws, Verdict.UNDECIDED), ()
    return EngineReport(
        "exhaustive",
        verdicts,
        "; and ".join(covered),
        spent,
        None,
        design.cls.geometry,
        notes=notes,
        lacking=_idle(design, applied) if complete else (),
        numbers=numbers,
        within=_within(design, geometries),
        endless=any(d.too_large for _, d in explored),
    )


def there_is(design: Outline, geometry: Geometry) -> str:
    """What runs on ints know, in words: how many names of each sort, up to which numbers, and which records alone."""
    return f"{_stated(design, geometry)}{limits_of(design, geometry)}".removeprefix(", ")


def limits_of(design: Outline, geometry: Geometry) -> str:
    """What is limited beside the number of names, in words: the numbers and the records that are given, and how many split
    operations are under way. Empty if nothing is."""
    return f"{_given_numbers(design, geometry)}{_narrowed(design, geometry)}{_under_way(design, geometry)}"


def _stated(design: Outline, geometry: Geometry) -> Geometry:
    """The geometry with the sorts of names besides of which it says nothing, so that a report says how many there were."""
    return geometry.resized(**{sort: geometry.size(sort) for sort in sorts_of(design) if sort not in geometry.sizes})


def _within(design: Outline, geometries: Sequence[Geometry]) -> str:
    """What limits these geometries beside the number of names, in words."""
    return "".join(dict.fromkeys(limits_of(design, each) for each in geometries))


def _narrowed(design: Outline, geometry: Geometry) -> str:
    """Which records of a step's, or of power-on's, have few values only, as the geometry says; in words."""
    met = {each.cls for kind in given_kinds(design) for each in _records(kind)} & geometry.only.keys()
    few = [f"{many(len(geometry.only[cls]), 'value')} of {cls.__name__}" for cls in sorted(met, key=lambda cls: cls.__name__)]
    return f", only {' and '.join(few)}" if few else ""


def _records(kind: Kind) -> Iterator[RecordKind]:
    """The records that a value is, and has in it."""
    if isinstance(kind, RecordKind):
        yield kind
        for _, inner in kind.fields:
            yield from _records(inner)
    if isinstance(kind, PageKind):
        yield from _records(kind.cell)


def _given_numbers(design: Outline, geometry: Geometry) -> str:
    """Up to which numbers a step is given some, or power-on finds some, in words: a run on ints knows no others."""
    kinds = given_kinds(design)
    leaves = [leaf for kind in kinds if getattr(kind, "cls", None) not in geometry.only for _, leaf in kind.leaves()]
    limits = [f"natural numbers up to {geometry.naturals}"] if NaturalKind() in leaves else []
    if any(isinstance(leaf, WordKind) and geometry.words < 1 << leaf.width for leaf in leaves):
        limits.append(f"words up to {geometry.words - 1}")
    also = f", or {', '.join(map(str, geometry.also))}" if geometry.also else ""
    return f", given {' and '.join(limits)}{also}" if limits else ""


def _under_way(design: Outline, geometry: Geometry) -> str:
    """What runs on ints leave out of split operations, in words."""
    if not any(op.split for op in design.operations):
        return ""
    return f", at most {geometry.under_way} split operations under way at once"


def _compared(design: Outline, seed: int) -> str:
    """The reading that exploration rests on, held against ints; what was compared, in words."""
    geometry = design.cls.geometry
    native = exhaustive.compiled(design, geometry, seed)
    if native is None:
        return ""
    comparing = Comparing(native)
    samples = tuple(itertools.chain(*drawn(design, geometry).values()))
    otherwise = plain_code.differences(design, geometry, samples)
    compared, wrong = comparing.differences(samples)
    runs, different = comparing.walked()
    if otherwise or wrong or different:
        raise ReadingsDisagree((*otherwise, *wrong, *different)[0])
    return f"; {many(compared, 'step')} and {many(runs, 'run')} compared with the code run by plain Python"


def explored_words(done: exhaustive.Exploration, there: str | Geometry, deepest: int | None = None) -> str:
    """How far an exploration came among all that there is, in words; ``deepest`` is how far it was to go."""
    end = (
        ", not to the end: its memory was full"
        if done.is_full
        else ", as was asked"
        if done.judged == deepest
        else (", not to the end")
    )
    why = f", where {TOO_LARGE}" if done.too_large else end
    to_the_end = "to the last state" if done.complete else f"to depth {done.depth}{why}"
    if done.failure is not None:
        law = done.failure.broken.law
        to_the_end = "where a run breaks a law" if law is not None else "where an operation goes wrong"
    return (
        f"{many(done.states, 'state')} in {many(done.classes, 'class')} up to names, {many(done.steps, 'step')}, "
        f"depth {done.depth}, "
        f"{to_the_end}, {done.reading}{_loss(done)}; {there}"
    )


def _loss(done: exhaustive.Exploration) -> str:
    """How likely it is that a state was missed, if that is worth a word."""
    return f" (that keys of 64 bits hide a state has a chance of {done.loss:.0e})" if done.loss > 1e-12 else ""


def check_bounded(design: Outline, asked: Asked, notice: Notice) -> EngineReport:
    """Every run from power-on of so many steps, by the solver."""
    notice("bounded", "")
    done = bounded.search(
        design,
        asked.depth,
        clause=asked.clause,
        seconds=BOUNDED_SECONDS,
        deepen=asked.explore_seconds or 0.0,
        progress=lambda step: notice("bounded", f"runs of {step} steps"),
    )
    judged = design if asked.clause is None else design.restricted(asked.clause)
    end = "" if done.complete or done.failure else f", not to {asked.depth}: the time was up"
    covered = f"every run of up to {many(done.depth, 'step')} from power-on{end}; {_stated(design, design.cls.geometry)}"
    report = EngineReport(
        "bounded",
        dict.fromkeys(judged.laws, Verdict.UNDECIDED),
        covered,
        done.seconds,
        done.failure,
        done.geometry,
        bound=done.depth,
        numbers=Numbers(depth=done.depth, complete=done.complete),
    )
    if done.failure is not None:
        return attrs.evolve(report, verdicts=_stopped(judged, done.failure))
    return _met_in_short_runs(judged, report) if done.complete else report


def _met_in_short_runs(design: Outline, report: EngineReport) -> EngineReport:
    """No run of a few steps breaks a law, says the solver. What applies in such runs, and which laws are met, is drawn."""
    short = random.campaign(design, design.cls.geometry, seconds=float("inf"), runs=SHORT_RUNS, deepest=report.bound)
    if short.failure is not None:  # the search went to the end, and said that there is none
        report = attrs.evolve(report, verdicts=dict.fromkeys(design.laws, Verdict.NO_RUN))
        return attrs.evolve(report, disagreement=disagreement(report, "random", short.failure))
    return attrs.evolve(
        report,
        verdicts=_held(design, Verdict.NO_RUN, short.met, short.applied),
        notes=tuple(f"{each} in the short runs that were drawn" for each in never(design, short.applied)),
        lacking=never_taken(design, short.applied),
    )


def _stopped(design: Outline, failure: Failure) -> dict[Law, Verdict]:
    """A run that breaks a law ended the search: nothing is said of the others."""
    verdicts = dict.fromkeys(design.laws, Verdict.UNDECIDED)
    if failure.broken.law is not None:
        verdicts[failure.broken.law] = Verdict.FAILS
    return verdicts


def _held(design: Outline, verdict: Verdict, met: frozenset[Law], applied: Counter[str]) -> dict[Law, Verdict]:
    """The verdict; laws of which nothing was met are vacuous. A law about steps needs a step, and one about an outcome needs one
    that had such an outcome."""
    steps = any(applied.values())

    def is_met(law: Law) -> bool:
        if design.is_conditional(law) or law.outcome is not None:
            return law in met
        return law.of_state or steps

    return {law: verdict if is_met(law) else Verdict.VACUOUS for law in design.laws}


def _idle(design: Outline, applied: Counter[str]) -> tuple[str, ...]:
    """The operations that never applied, but for those that are plainly to be none."""
    return tuple(name for name in never_taken(design, applied) if not is_turned_off(design.operation(name)))


def never_taken(design: Outline, applied: Counter[str]) -> tuple[str, ...]:
    """The operations that never applied, so far as their first part goes where others interrupt them."""
    return tuple(op.name for op in design.operations if not applied.get(op.name))
