"""Every state of a geometry, breadth first, in compiled code. What breaks a law is run again on ints before it is shown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.branches import branches
from refmodel.engines.compiled.context import GOES_WRONG, LAW_BROKEN, TOO_LARGE
from refmodel.engines.compiled.native import Native
from refmodel.engines.compiled.part import Counted, Part, Standing
from refmodel.engines.compiled.visited import some_of, visited
from refmodel.engines.compiled.ways import failure_of, power_ons
from refmodel.engines.exploration import COMPILED, Exploration, Progress
from refmodel.engines.machine import Failure, Machine, recorded

MEMORY = 4 << 30
"""Bytes of memory after which a search ends."""


class Search:
    """One exploration under way, in this process."""

    def __init__(self, native: Native, memory: int = MEMORY) -> None:
        self.native = native
        self.part = Part(native.program(), memory)
        self.depth = 0
        self.seconds = 0.0
        self.initial = list(power_ons(native.design, native.geometry))

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to be done: every state was taken further, or something was found."""
        context = self.part.context
        return bool(context["trouble"]) or (self.depth > 0 and not self.part.left and not context["next_count"])

    @property
    def is_full(self) -> bool:
        """Whether the search has ended because there is no room for more."""
        return self.part.is_full

    @property
    def judged(self) -> int:
        """Every run of up to so many steps is judged."""
        return self.depth - bool(self.depth and self.part.left)

    def run(self, seconds: float | None = None, progress: Progress | None = None, deepest: int | None = None) -> Exploration:
        """To the last state, to the first broken law, until every run of up to ``deepest`` steps is judged, or until time or memory
        is up. Called again, it goes on from there."""
        began = time.perf_counter()
        part, context = self.part, self.part.context
        if not self.depth:
            part.begin(initial_states(self.native, self.initial))
        while not self.is_over and not self.is_full and (seconds is None or time.perf_counter() - began < seconds):
            if self.judged == deepest:
                break
            if not part.left:
                part.next_layer()
                self.depth += 1
            part.further()
            if progress:
                progress(self.depth, context["classes"], context["steps"])
        self.seconds += time.perf_counter() - began
        return explored(
            self.native,
            self.initial,
            [part.standing()],
            (self.depth, self.judged, self.seconds, self.is_over),
            [part.counted()],
            part.reached,
        )


def initial_states(native: Native, initial: Sequence[tuple[object, ...]]) -> npt.NDArray[np.uint8]:
    """The states that a run may begin with, a row each."""
    rows = []
    for answers in initial:
        machine = Machine(native.design, native.geometry)
        machine.power_on(recorded(answers))
        rows.append(native.layout.column(machine.state)[:, 0].view(np.uint8))
    return np.array(rows, dtype=np.uint8)


def explored(
    native: Native,
    initial: Sequence[tuple[object, ...]],
    standings: Sequence[Standing],
    came: tuple[int, int, float, bool],
    counted: Sequence[Counted],
    reached: Callable[[int], tuple[int, int]],
) -> Exploration:
    """What an exploration covered, from how far each of its parts has come. ``came`` are its depth, of how many steps every run is
    judged, its seconds, and whether it is over; ``reached`` gives the way that led to a class of this number, and the class from
    which it did."""
    depth, judged, seconds, is_over = came
    applied, met, ended, changed = (np.array(each).sum(axis=0) for each in zip(*map(attrs.astuple, counted), strict=True))
    every, taken = branches(native.operations, ended)
    seen = {law for law, was in zip([*native.design.laws, *native.parts], met, strict=True) if was}
    failure = _failure(native, initial, standings, reached)
    too_large = failure is None and any(each.trouble == TOO_LARGE for each in standings)
    wants_states = bool(native.design.pending) and failure is None
    states = visited(native, initial, some_of([each.classes for each in standings]), reached) if wants_states else ()
    return Exploration(
        failure,
        is_over and failure is None and not too_large,
        sum(each.states for each in standings) // _images(native, initial),
        sum(each.classes for each in standings),
        sum(each.steps for each in standings),
        depth,
        seconds,
        Counter({traced.op.name: int(n) for traced, n in zip(native.operations, applied, strict=True) if n}),
        frozenset(law for law in native.design.laws if law in seen),
        COMPILED,
        too_large,
        any(each.is_full for each in standings),
        every,
        taken,
        frozenset(native.parts),
        frozenset(part for part in native.parts if part in seen),
        judged,
        states,
        len(states) == sum(each.classes for each in standings),
        native.layout.scalars_among(np.flatnonzero(changed)),
    )


def _images(native: Native, initial: Sequence[tuple[object, ...]]) -> int:
    """How many different things renamings make of what is given of tables that no operation writes. A class has so many times the
    states that are reached: runs begin with one of them."""
    geometry, layout = native.geometry, native.layout
    given = {
        table.name
        for table in native.design.tables
        if table.name in native.design.constant and set(table.all_keys(geometry)) <= set(geometry.given.get(table.name, ()))
    }
    rows = [row for place in layout.places if place.table in given for row in range(place.first, place.first + len(place.leaves))]
    return native.words.images(initial_states(native, initial[:1])[0], rows) if rows else 1


def _failure(
    native: Native, initial: Sequence[tuple[object, ...]], standings: Sequence[Standing], reached: Callable[[int], tuple[int, int]]
) -> Failure | None:
    """The run to what the first of the parts found that found something."""
    found = next((each for each in standings if each.trouble in (LAW_BROKEN, GOES_WRONG)), None)
    if found is None:
        return None
    ways, at = [found.trouble_way], found.trouble_parent
    while at >= 0:
        way, at = reached(at)
        ways.append(way)
    ways.pop()  # what a run begins with is reached by nothing
    return failure_of(native.design, native.geometry, initial[-1 - at], ways[::-1])


__all__ = ["MEMORY", "Search", "explored", "initial_states"]
