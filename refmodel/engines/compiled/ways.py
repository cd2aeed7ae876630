"""What compiled code found, as a run on ints: a way is the number of an operation with its arguments, and of all answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from refmodel.engines.machine import Broken, Failure, Machine, Run, Step, recorded
from refmodel.engines.verdicts import ReadingsDisagree
from refmodel.language.asking import Refused
from refmodel.language.design import Outline
from refmodel.language.kinds import Kind
from refmodel.language.sizes import Geometry


class Coded(Machine):
    """A machine that is answered by a number: each answer is what is left when it is divided by how many there are."""

    code: int | None = 0
    """None: it is answered as every machine is."""
    found: Broken | None = None
    """What is broken, once something is."""

    def __init__(self, design: Outline, geometry: Geometry) -> None:
        super().__init__(design, geometry)
        self.taken: list[Step] = []

    def _digit(self, code: int, base: int) -> int:
        self.code, digit = divmod(code, base)
        return digit

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        if self.code is None:
            return super().choose(kind, where)
        options = self.values(kind)
        value = options[self._digit(self.code, len(options))]
        if not where(value):
            raise Refused
        self._pick = lambda _: value
        return super().choose(kind, where)

    def yes(self, question: str) -> bool:
        if self.code is None:
            return super().yes(question)
        answer = bool(self._digit(self.code, 2))
        self._pick = lambda _: answer
        return super().yes(question)


def power_ons(design: Outline, geometry: Geometry) -> Iterator[tuple[Any, ...]]:
    """Every content of the tables that nobody knows."""
    return itertools.product(*_entries(design, geometry))


def how_many_power_ons(design: Outline, geometry: Geometry) -> int:
    """How many contents these tables may have."""
    return math.prod(map(len, _entries(design, geometry)))


def _entries(design: Outline, geometry: Geometry) -> Iterator[Sequence[Any]]:
    """What each entry of the tables that nobody knows may be."""
    machine = Machine(design, geometry)
    return (
        geometry.contents(name, key, machine.held(kind.value))
        for name in design.arbitrary
        for kind in [design.table(name)]
        for key in kind.all_keys(geometry)
    )


def run_again(design: Outline, geometry: Geometry, initial: tuple[Any, ...], ways: Sequence[int]) -> Coded:
    """A machine after these ways on ints, up to the first that breaks a law. ``ReadingsDisagree`` if one does not apply."""
    machine = Coded(design, geometry)
    machine.power_on(recorded(initial))
    instances = machine.instances()
    machine.found = machine.broken(None, (), None)
    for way in ways:
        if machine.found is not None:
            break
        op, arguments = instances[way & 0xFFFF]
        machine.code = way >> 16
        taken = machine.attempt(op, arguments, recorded(()))
        if taken is None:
            raise ReadingsDisagree(f"{op.name}{arguments} applies in compiled code and not on ints, after {machine.taken}.")
        machine.taken.append(taken[0])
        machine.found = machine.broken(op, arguments, taken[1])
        machine.settle()
    return machine


def failure_of(design: Outline, geometry: Geometry, initial: tuple[Any, ...], ways: Sequence[int]) -> Failure:
    """The run that these ways are, and what it breaks; ``ReadingsDisagree`` if it is no run on ints, or breaks nothing."""
    machine = run_again(design, geometry, initial, ways)
    if machine.found is None:
        raise ReadingsDisagree(f"A run breaks a law in compiled code, and no law on ints: {machine.taken}.")
    return Failure(Run(machine.initial_answers, tuple(machine.taken)), machine.found)
