"""Whether a run breaks a law that a proof does not show, or makes the text go wrong: small geometries are explored.

The design's own comes first. If it is explored to the last state and is small, so are those with one more name of a sort, or with
one more split operation under way: two processors, and not one, may be what it takes. At last comes that of the counterexample to
induction, if it is larger.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from refmodel.engines import exhaustive
from refmodel.engines.machine import Failure
from refmodel.engines.progress_runs import end_everything, end_from
from refmodel.engines.reports_of_explorations import explored_words
from refmodel.engines.reports_of_runs import there_is
from refmodel.engines.scope import sorts_of
from refmodel.engines.spoken_numbers import with_spoken_numbers
from refmodel.language.design import Outline
from refmodel.language.laws import Law
from refmodel.language.sizes import MOST_UNDER_WAY, Geometry
from refmodel.language.unsound import BadDesign, Unsound

WAY_THERE = 20.0
"""Seconds spent on looking for a run that breaks a law which was refuted, unless somebody says otherwise."""
WITH_ONE_MORE = 2.0
"""Seconds spent on looking for one with one more name of a sort, where the design's own geometry was explored to the last state."""
SMALL = 100_000
"""Classes of states of a geometry that is worth making larger."""


@attrs.frozen
class Sought:
    """A run that was looked for: how it fails and where, if there is one; and how far the search came."""

    failure: Failure | None = None
    geometry: Geometry | None = None
    notes: tuple[str, ...] = ()
    complete: bool = False
    """Whether the design's own geometry was explored to the last state."""


def run_that_breaks(design: Outline, laws: tuple[Law, ...], there: Geometry | None = None, seconds: float | None = None) -> Sought:
    """Look for a run that breaks one of these laws or makes the text go wrong: that alone, if there are none. ``there`` is the
    geometry of a counterexample to induction."""
    seconds = WAY_THERE if seconds is None else seconds
    judged, own = attrs.evolve(design, laws=laws), design.cls.geometry
    names, ends = ", ".join(law.name for law in laws) or "whether the text goes wrong", _ends(laws)
    try:
        done = exhaustive.explore(judged, own, seconds=seconds)
    except (Unsound, BadDesign) as why:
        return Sought(notes=(f"{names}: no run was looked for, because {why}",))
    found = Sought(done.failure, own, complete=done.complete)
    if done.failure is not None:
        return found
    notes = [f"{names}: {explored_words(done, there_is(design, own))}, and {ends}"]
    spoken = with_spoken_numbers(design, own)
    if spoken != own and (failure := _failure(judged, spoken, seconds)) is not None:
        return attrs.evolve(found, failure=failure, geometry=spoken)
    if done.complete and done.classes <= SMALL:
        for geometry in with_one_more(design):
            if (failure := _failure(judged, geometry, WITH_ONE_MORE)) is not None:
                return attrs.evolve(found, failure=failure, geometry=geometry)
    if there is not None and _is_wider(there, own):
        try:
            done = exhaustive.explore(judged, there, seconds=seconds)
        except (Unsound, BadDesign):
            return attrs.evolve(found, notes=tuple(notes))
        if done.failure is not None:
            return attrs.evolve(found, failure=done.failure, geometry=there)
        if done.steps:
            notes.append(f"{names}: {explored_words(done, there_is(design, there))}, and {ends}")
    return attrs.evolve(found, notes=tuple(notes))


def run_that_does_not_end(design: Outline) -> Sought:
    """Look for a run after which something pending is not ended: from states that random runs reach, and from states of a short
    exploration, in the design's own geometry and in those with one more name of a sort, but for geometries of which not all
    values can be listed."""
    for geometry in (design.cls.geometry, *with_one_more(design)):
        try:
            failure = end_everything(design, geometry).failure or _stuck_where_explored(design, geometry)
        except BadDesign:
            continue
        if failure is not None and failure.broken.law is not None:
            return Sought(failure, geometry)
    return Sought()


def _stuck_where_explored(design: Outline, geometry: Geometry) -> Failure | None:
    try:
        visited = exhaustive.explore(design, geometry, seconds=WITH_ONE_MORE).visited
    except (Unsound, BadDesign):
        return None
    return end_from(design, geometry, visited).failure


def with_one_more(design: Outline) -> Iterator[Geometry]:
    """The design's geometry with one more name of one sort, and with one more split operation under way; then likewise the last of
    its further geometries."""
    for own in (design.cls.geometry, *design.cls.further_geometries[-1:]):
        if any(op.split for op in design.operations) and own.under_way < MOST_UNDER_WAY:
            yield own.resized(under_way=own.under_way + 1)
        for sort in () if own.given else sorted(sorts_of(design)):
            yield own.resized(**{sort: own.size(sort) + 1})


def _failure(judged: Outline, geometry: Geometry, seconds: float) -> Failure | None:
    try:
        return exhaustive.explore(judged, geometry, seconds=seconds).failure
    except (Unsound, BadDesign):
        return None


def _is_wider(there: Geometry, own: Geometry) -> bool:
    """Whether a geometry has names, numbers or records that another has not."""
    more = any(there.size(sort) > own.size(sort) for sort in there.sizes)
    return there != own and (there.also != own.also or there.only != own.only or more)


def _ends(laws: tuple[Law, ...]) -> str:
    if not laws:
        return "in no run it does"
    return f"no run breaks {'it' if len(laws) == 1 else 'them'}"


__all__ = ["Sought", "run_that_breaks", "run_that_does_not_end", "with_one_more"]
