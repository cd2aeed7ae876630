"""States that an exploration visited, as states on ints: the runs that first led there, taken again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from refmodel.engines.compiled.native import Native
from refmodel.engines.compiled.ways import Coded, run_again
from refmodel.engines.machine import Run, copy_of, recorded
from refmodel.engines.verdicts import ReadingsDisagree

ALL, SOME = 1000, 250
"""Classes of states that are looked at: all, if there are no more than so many; of more, some."""

Reached = Callable[[int], tuple[int, int]]
"""The way that led to a class of this number, and the number of the class from which it did; below zero at power-on."""
Visited = tuple[tuple[Any, Run], ...]
"""States, and the runs that lead there."""


def some_of(classes: Sequence[int]) -> list[int]:
    """The numbers of some classes, or of all if they are few, evenly drawn. ``classes``: how many each part of the search has."""
    parts, total = len(classes), sum(classes)
    apart = 1 if total <= ALL else max(1, total // SOME)
    return [index * parts + part for part, own in enumerate(classes) for index in range(0, own, apart)]


def visited(native: Native, initial: Sequence[tuple[object, ...]], numbers: Iterable[int], reached: Reached) -> Visited:
    """These classes, by a state of each, the nearest to power-on first; but for those in which a split operation is under way."""
    if any(op.split for op in native.design.operations):
        found = _each_from_power_on(native, initial, numbers, reached)
    else:
        tree = _Tree(native, initial, reached)
        found = [tree.at(number) for number in numbers]
    return tuple(sorted(found, key=lambda each: len(each[1].steps)))


def _each_from_power_on(
    native: Native, initial: Sequence[tuple[object, ...]], numbers: Iterable[int], reached: Reached
) -> list[tuple[Any, Run]]:
    """An operation that waits belongs to a state, and cannot be copied: each run is taken from its beginning."""
    found = []
    for number in numbers:
        ways, at = list[int](), number
        while at >= 0:
            way, at = reached(at)
            ways.append(way)
        machine = run_again(native.design, native.geometry, initial[-1 - at], ways[-2::-1])
        if not machine.pending:
            found.append((copy_of(native.design, machine.state), Run(machine.initial_answers, tuple(machine.taken))))
    return found


class _Tree:
    """The classes by the steps that first led to them, each taken once."""

    def __init__(self, native: Native, initial: Sequence[tuple[object, ...]], reached: Reached) -> None:
        self.native, self.initial, self.reached = native, initial, reached
        self._machine = Coded(native.design, native.geometry)
        self._instances = self._machine.instances()
        self._known: dict[int, tuple[Any, Run]] = {}

    def at(self, number: int) -> tuple[Any, Run]:
        """A state of the class of this number, and the run to it."""
        behind, at = list[tuple[int, int, int]](), number
        while at not in self._known and at >= 0:
            way, before = self.reached(at)
            behind.append((at, way, before))
            at = before
        for each, way, before in reversed(behind):
            self._known[each] = self._after(*self._known[before], way) if before >= 0 else self._power_on(before)
        return self._known[number]

    def _power_on(self, number: int) -> tuple[Any, Run]:
        machine = self._machine
        machine.begin(self.native.design.initial(self.native.geometry))
        machine.power_on(recorded(self.initial[-1 - number]))
        return copy_of(self.native.design, machine.state), Run(machine.initial_answers, ())

    def _after(self, state: Any, run: Run, way: int) -> tuple[Any, Run]:
        machine = self._machine
        machine.begin(copy_of(self.native.design, state))
        op, arguments = self._instances[way & 0xFFFF]
        machine.code = way >> 16
        taken = machine.attempt(op, arguments, recorded(()))
        if taken is None:
            raise ReadingsDisagree(f"{op.name}{arguments} applies in compiled code and not on ints, after {run.steps}.")
        machine.settle()
        return copy_of(self.native.design, machine.state), Run(run.initial, (*run.steps, taken[0]))


__all__ = ["Visited", "some_of", "visited"]
