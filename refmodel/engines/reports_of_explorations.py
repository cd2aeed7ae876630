"""What an exploration of every state says of each law of a design."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Sequence

import attrs

from refmodel.engines import exhaustive, plain_code
from refmodel.engines.asked import Asked, Notice
from refmodel.engines.compiled.comparing import Comparing
from refmodel.engines.compiled.ways import how_many_power_ons
from refmodel.engines.exploration import COMPILED, Branch
from refmodel.engines.layout import TOO_LARGE
from refmodel.engines.progress_runs import Ended, end_from
from refmodel.engines.reports_of_runs import (
    ended_somewhere,
    held,
    limits_of,
    never_taken,
    of_pending,
    stopped_at,
    there_is,
)
from refmodel.engines.unseen import is_turned_off, never, never_changed, not_met, not_taken
from refmodel.engines.verdicts import EngineReport, Numbers, ReadingsDisagree, Verdict
from refmodel.language.design import Design, Outline
from refmodel.language.laws import Law
from refmodel.language.plurals import many
from refmodel.language.sizes import Geometry

Explored = Sequence[tuple[Geometry, exhaustive.Exploration]]
"""Geometries, and what their exploration covered and found."""


def check_exhaustive(design: Outline, asked: Asked, notice: Notice) -> EngineReport:
    """Every state of the design's own geometry, and of the others that it names; or every run of so many steps in them."""
    began = time.perf_counter()

    def progress(depth: int, classes: int, steps: int) -> None:
        rate = steps / max(time.perf_counter() - began, 1e-3)
        notice("exhaustive", f"depth {depth}, {classes:,} classes of states, {rate:,.0f} steps a second")

    seed = asked.seed + 1
    notice("exhaustive", f"compiling, for {there_is(design, design.cls.geometry)}{_unstated(design)}")
    compared, how_compared = (0, "") if asked.exact else _compared(design, seed)
    explored = list(
        exhaustive.in_turn(
            design,
            (design.cls.geometry, *design.cls.further_geometries),
            seconds=asked.explore_seconds,
            seed=seed,
            progress=progress,
            exact=asked.exact,
            where=asked.where,
            deepest=asked.explore_depth,
        )
    )
    report = _of_laws(design, explored, asked.explore_depth or 0)
    numbers = attrs.evolve(report.numbers, compared=compared)
    report = attrs.evolve(report, covered=report.covered + how_compared, numbers=numbers)
    return _with_pending(design, report, explored) if design.pending else report


def _unstated(design: Outline) -> str:
    """What a design is told that states no geometry: it has two names of each sort, which may take long."""
    if design.cls.geometry is not Design.geometry:
        return ""
    return "; the design states no geometry: geometry = SMALL, of refmodel.geometries, is less"


def _of_laws(design: Outline, explored: Explored, deepest: int) -> EngineReport:
    """What was covered, and the verdicts on laws."""
    covered = "; and ".join(explored_words(done, there_is(design, geometry), deepest or None) for geometry, done in explored)
    geometry, done = next(((g, d) for g, d in explored if d.failure is not None), explored[-1])
    complete = all(d.complete for _, d in explored)
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
    report = EngineReport("exhaustive", {}, covered, sum(d.seconds for _, d in explored), geometry=geometry, numbers=numbers)
    if done.failure is not None:
        return attrs.evolve(report, verdicts=stopped_at(design, done.failure), failure=done.failure)
    report = attrs.evolve(report, geometry=design.cls.geometry)
    applied = sum((d.applied for _, d in explored), Counter[str]())
    met = frozenset(law for _, d in explored for law in d.met)
    if not complete and deepest and all(d.complete or d.judged >= deepest for _, d in explored):
        verdicts, notes = held(design, Verdict.NO_RUN, met, applied), never(design, applied)
        return attrs.evolve(report, verdicts=verdicts, notes=notes, bound=deepest, lacking=never_taken(design, applied))
    within, endless = _within(design, explored), any(d.too_large for _, d in explored)
    if not complete:
        verdicts = dict.fromkeys(design.laws, Verdict.UNDECIDED)
        many_first = tuple(note for g, d in explored for note in _at_power_on(design, g, d))
        return attrs.evolve(report, verdicts=verdicts, notes=many_first, within=within, endless=endless)
    verdicts = held(design, Verdict.HOLDS, met, applied)
    parts, parts_met = (frozenset[Law]().union(*(getattr(d, name) for _, d in explored)) for name in ("parts", "parts_met"))
    notes = never(design, applied) + not_taken(design, branches, taken) + not_met(design, parts - parts_met, verdicts)
    if all(d.reading == COMPILED for _, d in explored):
        notes += never_changed(design, frozenset().union(*(d.changed for _, d in explored)))
    return attrs.evolve(report, verdicts=verdicts, notes=notes, lacking=_idle(design, applied), within=within, endless=endless)


def _with_pending(design: Outline, report: EngineReport, explored: Explored) -> EngineReport:
    """The report with the verdicts on what is pending. They are undecided where an exploration was cut short."""
    if report.failure is not None or not (report.numbers.complete or report.bound):
        undecided = dict.fromkeys((each.law for each in design.pending), Verdict.UNDECIDED)
        return attrs.evolve(report, verdicts={**undecided, **report.verdicts})
    ended, geometry = _ended_where_explored(design, explored)
    return attrs.evolve(
        report,
        verdicts={**report.verdicts, **of_pending(design, ended)},
        covered=f"{report.covered}; {_looked_at(explored)}" if ended.failure is None else report.covered,
        failure=ended.failure,
        geometry=geometry if ended.failure is not None else report.geometry,
        times={each.law: ended.ended[each.name] for each in design.pending},
    )


def _ended_where_explored(design: Outline, explored: Explored) -> tuple[Ended, Geometry]:
    """What is pending is ended in states that were explored, and where it is pending in none of those that are looked at, in states
    that random runs reach; and the last geometry that was needed."""
    ended = Counter[str]()
    for geometry, done in explored:
        found = end_from(design, geometry, done.visited)
        ended += found.ended
        if found.failure is not None:
            return Ended(found.failure, ended), geometry
    is_split = any(op.split for op in design.operations)  # what is pending only while one waits is seen by runs
    if (all(done.whole for _, done in explored) and not is_split) or all(ended[each.name] for each in design.pending):
        return Ended(None, ended), explored[-1][0]
    left = {each.law for each in design.pending if not ended[each.name]}
    more, geometry = ended_somewhere(design.judging(left.__contains__), [geometry for geometry, _ in explored])
    return Ended(more.failure, ended + more.ended), geometry


def _looked_at(explored: Explored) -> str:
    """In how many of the states that were explored pending work was ended, in words."""
    if all(done.whole for _, done in explored):
        return "pending work was ended in all of them"
    return f"pending work was ended in {sum(len(done.visited) for _, done in explored):,} of them"


def _within(design: Outline, explored: Explored) -> str:
    """What limits these geometries beside the number of names, in words."""
    return "".join(dict.fromkeys(limits_of(design, geometry) for geometry, _ in explored))


def _compared(design: Outline, seed: int) -> tuple[int, str]:
    """The compiled code that exploration rests on, held against plain Python: how many steps were compared, and all that was, in
    words."""
    geometry = design.cls.geometry
    native = exhaustive.compiled(design, geometry, seed)
    if native is None:
        return 0, ""
    comparing = Comparing(native)
    plain = plain_code.compared(design, geometry)
    compared, wrong = comparing.differences(itertools.chain(*plain.samples.values()))
    runs, different = comparing.walked()
    if plain.differences or wrong or different:
        raise ReadingsDisagree((*plain.differences, *wrong, *different)[0])
    return compared, f"; {many(compared, 'step')} and {many(runs, 'run')} compared with the code run by plain Python"


def _at_power_on(design: Outline, geometry: Geometry, done: exhaustive.Exploration) -> tuple[str, ...]:
    """Why an exploration did not get past power-on: there are too many contents that tables may have then."""
    if done.complete or done.depth or done.failure is not None or not design.arbitrary:
        return ()
    number = how_many_power_ons(design, geometry)
    said = f"{number:,}" if number < 10**9 else f"10^{len(str(number)) - 1}"
    return (
        f"{', '.join(design.arbitrary)}: {said} contents at power-on are too many to explore; expected smaller numbers of names, "
        "or fewer values, such as only={Cell: (Cell(),)} in geometry(...)",
    )


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


def _idle(design: Outline, applied: Counter[str]) -> tuple[str, ...]:
    """The operations that never applied, but for those that are plainly to be none."""
    return tuple(name for name in never_taken(design, applied) if not is_turned_off(design.operation(name)))


__all__ = ["check_exhaustive", "explored_words"]
