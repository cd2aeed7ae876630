"""What random runs and bounded searches say of each law of a design."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from refmodel.engines import bounded, random
from refmodel.engines.asked import Asked, Notice
from refmodel.engines.disagreeing import disagreement
from refmodel.engines.machine import Failure
from refmodel.engines.progress_runs import Ended, end_everything
from refmodel.engines.scope import sorts_of
from refmodel.engines.spoken_numbers import given_kinds, with_spoken_numbers
from refmodel.engines.unseen import never
from refmodel.engines.verdicts import EngineReport, Numbers, Verdict
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
        few = random.FEW_RUNS if not done else 0
        done.append(random.campaign(design, geometry, seconds=limit, runs=asked.runs, start=asked.seed, few=few))
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
            stopped_at(design, done.failure),
            covered,
            done.seconds,
            done.failure,
            geometry,
            bound=done.steps,
            numbers=numbers,
        )
    ended, geometry = ended_somewhere(design, geometries)
    verdicts = {**held(design, Verdict.NOT_BROKEN, done.met, done.applied), **of_pending(design, ended)}
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


def ended_somewhere(design: Outline, geometries: Sequence[Geometry]) -> tuple[Ended, Geometry]:
    """What is pending is ended in each of these geometries, until each condition was; and the last geometry that was needed."""
    ended = Ended(None, Counter[str]())
    for geometry in geometries:
        left = {each.law for each in design.pending if not ended.ended[each.name]}
        found = end_everything(design.judging(left.__contains__), geometry)
        ended = Ended(found.failure, ended.ended + found.ended)
        if found.failure is not None or all(ended.ended[each.name] for each in design.pending):
            break
    return ended, geometry


def of_pending(design: Outline, ended: Ended) -> dict[Law, Verdict]:
    """What runs say of what is pending: it is not ended, was ended wherever it was met, or was met nowhere."""
    stuck = ended.failure.broken.law if ended.failure is not None else None
    held = Verdict.UNDECIDED if ended.failure is not None else Verdict.ENDED
    return {
        each.law: Verdict.FAILS if each.law is stuck else held if ended.ended[each.name] else Verdict.VACUOUS
        for each in design.pending
    }


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
        return attrs.evolve(report, verdicts=stopped_at(judged, done.failure))
    return _met_in_short_runs(judged, report) if done.complete else report


def _met_in_short_runs(design: Outline, report: EngineReport) -> EngineReport:
    """No run of a few steps breaks a law, says the solver. What applies in such runs, and which laws are met, is drawn."""
    short = random.campaign(design, design.cls.geometry, seconds=float("inf"), runs=SHORT_RUNS, deepest=report.bound)
    if short.failure is not None:  # the search went to the end, and said that there is none
        report = attrs.evolve(report, verdicts=dict.fromkeys(design.laws, Verdict.NO_RUN))
        return attrs.evolve(report, disagreement=disagreement(report, "random", short.failure))
    return attrs.evolve(
        report,
        verdicts=held(design, Verdict.NO_RUN, short.met, short.applied),
        notes=tuple(f"{each} in the short runs that were drawn" for each in never(design, short.applied)),
        lacking=never_taken(design, short.applied),
    )


def stopped_at(design: Outline, failure: Failure) -> dict[Law, Verdict]:
    """A run that breaks a law ended the search: nothing is said of the others."""
    verdicts = dict.fromkeys(design.laws, Verdict.UNDECIDED)
    if failure.broken.law is not None:
        verdicts[failure.broken.law] = Verdict.FAILS
    return verdicts


def held(design: Outline, verdict: Verdict, met: frozenset[Law], applied: Counter[str]) -> dict[Law, Verdict]:
    """The verdict; laws of which nothing was met are vacuous. A law about steps needs a step, and one about an outcome needs one
    that had such an outcome."""
    steps = any(applied.values())

    def is_met(law: Law) -> bool:
        if design.is_conditional(law) or law.outcome is not None:
            return law in met
        return law.of_state or steps

    return {law: verdict if is_met(law) else Verdict.VACUOUS for law in design.laws}


def never_taken(design: Outline, applied: Counter[str]) -> tuple[str, ...]:
    """The operations that never applied, so far as their first part goes where others interrupt them."""
    return tuple(op.name for op in design.operations if not applied.get(op.name))
