"""Every state that a design can reach in a stated small geometry, breadth first.

What is found is found at its least depth, and a search that ends has seen everything there is in that geometry. The text is
compiled (``engines.compiled``), and states that differ only in names are one. A design whose states are no rows of bytes (wide
words) is explored on ints (``engines.stepwise``). A search that takes long is shared by several processes, or Dask workers.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from refmodel.engines.compiled.exploring import Search
from refmodel.engines.compiled.native import Native, is_there
from refmodel.engines.compiled.over_dask import DaskWorkers
from refmodel.engines.compiled.processes import Processes, can_start
from refmodel.engines.compiled.together import Together
from refmodel.engines.exploration import Exploration, Progress
from refmodel.engines.layout import cell_keys, domain, fits_bytes
from refmodel.engines.spread import Where, processors
from refmodel.engines.stepwise import explore_stepwise
from refmodel.language.design import Outline
from refmodel.language.kinds import TableKind, held_by
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import Unsound

FIRST_TURN = 2.0
"""Seconds of the first turn of each geometry; each further turn is twice as long."""
ALONE = 2.0
"""Seconds that one process searches before several share the search. They begin it again, which pays if it takes about three times
as long. So they do if its layers still grow by then: most states of such a search are ahead."""

MOST_ENTRIES = 2_000
"""Table entries of a design that is compiled: what goes over all entries of a table is written out for each."""


MOST_POWER_ONS = 1 << 16
"""States that a run may begin with; with more of them, all are not even listed."""


def _power_ons(design: Outline, geometry: Geometry) -> int:
    tables = [design.table(name) for name in design.arbitrary]
    return math.prod(
        len(list(itertools.islice(held_by(table.value, geometry), MOST_POWER_ONS)))
        ** min(_keys(table, geometry) - len(geometry.given.get(table.name, ())), 64)
        for table in tables
    )


def _keys(table: TableKind, geometry: Geometry) -> int:
    return math.prod(domain(key, geometry) for key in table.keys)


def _entries(design: Outline, geometry: Geometry) -> int:
    return sum(math.prod(domain(key, geometry) for key in cell_keys(table)) for table in design.tables)


_recent: list[tuple[Outline, Geometry, int, Native | None]] = []


def compiled(design: Outline, geometry: Geometry, seed: int = 1) -> Native | None:
    """A design as machine code; None if it is beyond that reading. The last few are remembered."""
    for known, where, words, native in _recent:
        if known.operations is design.operations and known.laws == design.laws and (where, words) == (geometry, seed):
            return native
    _recent.append((design, geometry, seed, _compiled(design, geometry, seed)))
    del _recent[:-3]
    return _recent[-1][-1]


def _compiled(design: Outline, geometry: Geometry, seed: int) -> Native | None:
    if not is_there() or geometry.also or not fits_bytes(design) or _entries(design, geometry) > MOST_ENTRIES:
        return None
    if _power_ons(design, geometry) > MOST_POWER_ONS:
        return None
    try:
        return Native(design, geometry, seed)
    except Unsound:
        return None


def explore(
    design: Outline,
    geometry: Geometry,
    *,
    seconds: float | None = None,
    seed: int = 1,
    progress: Progress | None = None,
    deepest: int | None = None,
) -> Exploration:
    """Explore a design in a geometry to the last state, to the first broken law, until every run of up to ``deepest`` steps is
    judged, or until the time is up."""
    native = compiled(design, geometry, seed)
    if native is None:
        return explore_stepwise(design, geometry, seconds=seconds, progress=progress, deepest=deepest)
    return Search(native).run(seconds, progress, deepest)


def in_turn(
    design: Outline,
    geometries: Sequence[Geometry],
    *,
    seconds: float | None = None,
    seed: int = 1,
    progress: Progress | None = None,
    exact: bool = False,
    where: Where | None = None,
    deepest: int | None = None,
) -> Iterator[tuple[Geometry, Exploration]]:
    """Explore a design in several geometries, each for so long and so deep at most: a while in each, so that what is soon found in
    one does not wait for the others. What breaks a law ends all; a geometry that no turn came to by then is left out. ``exact``: on
    ints, one geometry after the other, every state kept whole.

    ``where`` says who shares a search that takes long; None stands for a process for each processor that is free. ``BadDesign`` if
    there is nobody at that place, or if several workers die.
    """
    if exact:
        yield from _one_by_one(geometries, partial(explore_stepwise, design, seconds=seconds, progress=progress, deepest=deepest))
        return
    searches: dict[int, Search | Together] = {}
    found: dict[int, tuple[Geometry, Exploration]] = {}
    turn = FIRST_TURN
    with contextlib.ExitStack() as ending:
        while turn == FIRST_TURN or any(_goes_on(search, seconds, deepest) for search in searches.values()):
            for at, geometry in enumerate(geometries):
                if turn == FIRST_TURN and (native := compiled(design, geometry, seed)) is not None:
                    searches[at] = Search(native)  # only now: a broken law may end all before the next is compiled
                if at in searches:
                    search = searches[at] = _shared(searches[at], seconds, deepest, where, ending)
                    done = search.run(turn if seconds is None else min(turn, seconds - search.seconds), progress, deepest)
                    found[at] = geometry, done
                    if done.failure is not None:
                        yield from found.values()
                        return
            turn *= 2
    yield from found.values()
    left = [geometry for at, geometry in enumerate(geometries) if at not in searches]
    yield from _one_by_one(left, partial(explore, design, seconds=seconds, seed=seed, progress=progress, deepest=deepest))


def _shared(
    search: Search | Together, seconds: float | None, deepest: int | None, where: Where | None, ending: contextlib.ExitStack
) -> Search | Together:
    """The search, or the same one begun again by several workers: by those of Dask if they are named, by processes if that pays.
    They end with ``ending``."""
    if isinstance(search, Together) or not _goes_on(search, seconds, deepest):
        return search
    number = processors() if where is None else where.jobs
    pays = search.seconds >= ALONE and search.part.is_growing and (seconds is None or seconds - search.seconds > ALONE)
    if where is not None and where.on is not None:
        shared = Together(search.native, partial(DaskWorkers, where.on), number, seconds=search.seconds)
    elif number > 1 and pays and can_start():
        shared = Together(search.native, Processes, number, seconds=search.seconds)
    else:
        return search
    ending.callback(shared.close)
    return shared


def _goes_on(search: Search | Together, seconds: float | None, deepest: int | None) -> bool:
    in_time = seconds is None or search.seconds < seconds
    return in_time and not search.is_over and not search.is_full and search.judged != deepest


def _one_by_one(
    geometries: Sequence[Geometry], exploring: Callable[[Geometry], Exploration]
) -> Iterator[tuple[Geometry, Exploration]]:
    for geometry in geometries:
        done = exploring(geometry)
        yield geometry, done
        if done.failure is not None:
            return


__all__ = ["Exploration", "Progress", "compiled", "explore", "in_turn"]
