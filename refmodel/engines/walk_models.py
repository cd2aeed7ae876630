"""An input for every path of the walks, found by the solver.

A walk is explored with its helpers summarised, and then with each helper in turn followed path by path. So there is an input for
every way through the walk, and for every way through a helper wherever the walk gets to it. The tables are laid where the caller
says, since whoever is to carry such walks out has them somewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.arbitrary import (
    EPT_HELPERS,
    GUEST_HELPERS,
    LEGACY_HELPERS,
    AnyMemory,
    NarrowMemory,
    Values,
    arbitrary,
    plain,
    word,
)
from refmodel.engines.functions import Path, explore
from refmodel.engines.questions import Solver
from refmodel.engines.symbolic import Symbolic
from refmodel.language.asking import Fault
from refmodel.machine.words import Translation
from refmodel.machine.x86 import ept_walk, guest_walk, legacy_walk
from refmodel.machine.x86.ept_walk import Ept, Use
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.legacy_walk import FRAME_32, PDPTE_RESERVED, Cpu32, CpuPae
from refmodel.machine.x86.words import FRAME, P, lacking

Term = Any


@attrs.frozen
class Layout:
    """Where tables and data are, in bytes."""

    tables: Mapping[int, int]
    """By level: the address of the table of that level."""
    data: int
    """The page that a walk which completes leads to."""
    slot: int
    """Of a root: kept for the machine's own use."""


@attrs.frozen
class Model:
    """An input of a walk: the entries that it reads, by address, the registers, the address and the access."""

    entries: dict[int, int]
    registers: Any
    address: int
    access: Any


class _Symbolic:
    """A walk on arbitrary inputs, its tables where they are to be."""

    memory = AnyMemory
    width = 64
    """Bits of an entry."""

    def __init__(self, levels: int, physical_bits: int, layout: Layout) -> None:
        self.levels, self.beyond, self.layout = levels, lacking(physical_bits), layout
        self.reading = Symbolic(prune=False)
        self.array = z3.Array("memory", z3.BitVecSort(64), z3.BitVecSort(64))
        self.address = word(self.reading, "address")
        self.conditions: list[Term] = []

    def models(
        self,
        walk: Callable[[AnyMemory], Any],
        text: Callable[..., Any],
        summarised: Sequence[Callable[..., Any]],
        registers: Any,
        access: Any,
    ) -> Iterator[Model]:
        """One for every path that can be taken."""

        def run() -> tuple[Any, AnyMemory]:
            memory = self.memory(self.reading, self.array)
            try:
                return walk(memory), memory
            except Fault as fault:
                return fault, memory

        followed = list(explore(self.reading, run, [text], summarised=summarised))  # till then the text is not to be run on ints
        solver, taken = Solver(*self.conditions), list[Term]()
        for path in followed:
            _follow(solver, taken, path.conditions)
            model = self._model(solver, path)
            if model is not None:
                value = Values(model)
                words = value.words(self.array)
                entries = {at: words.get(at) & (1 << self.width) - 1 for at in (value(read) for read in path.result[1].reads)}
                yield Model(entries, value.record(registers), value(self.address.term), value.record(access))

    def _model(self, solver: Solver, path: Path) -> z3.ModelRef | None:
        found = solver.check(*self._laid_out(*path.result), says="no walk takes this path")
        return solver.model() if found == z3.sat else None

    def _laid_out(self, end: Any, memory: AnyMemory) -> Iterator[Term]:
        """Each table leads to the next one's place, and the last entry to a page that is there."""
        address = self.address.term
        yield z3.Extract(8, 0, z3.LShR(address, 3 + 9 * self.levels)) != self.layout.slot
        yield address & 0x807 == 0
        for number, at in enumerate(memory.reads[:-1]):
            yield z3.Select(self.array, at) & FRAME & ~self.beyond == self.layout.tables[self.levels - 1 - number]
        if isinstance(end, Translation):
            offset = (1 << 3 + 9 * end.level) - 1
            yield plain(self.reading, end.physical) & ~z3.BitVecVal(0xFFF, 64) == self.layout.data
            if end.level > 1:
                yield z3.Select(self.array, memory.reads[-1]) & FRAME & ~z3.BitVecVal(offset, 64) == 0


def _follow(solver: Solver, taken: list[Term], conditions: Sequence[Term]) -> None:
    """Have a solver assume the conditions of a path. What it has in common with the path before (``taken``) is not assumed anew."""
    alike = sum(1 for _ in itertools.takewhile(lambda pair: pair[0].eq(pair[1]), zip(taken, conditions, strict=False)))
    for _ in taken[alike:]:
        solver.pop()
    for condition in conditions[alike:]:
        solver.push()
        solver.add(condition)
    taken[:] = conditions


class _SymbolicPae(_Symbolic):
    """A walk of PAE paging: a directory and a table."""

    def _laid_out(self, end: Any, memory: AnyMemory) -> Iterator[Term]:
        yield z3.LShR(self.address.term, 30) < 3
        yield from super()._laid_out(end, memory)

    def loaded(self, register: Term) -> Term:
        """That a PDPTE register holds what can be loaded, and leads to the directory."""
        sound = register & (PDPTE_RESERVED | self.beyond) == 0
        return z3.And(register & FRAME & ~self.beyond == self.layout.tables[2], z3.Or(register & P == 0, sound))


class _Symbolic32(_Symbolic):
    """A walk of 32-bit paging."""

    memory = NarrowMemory
    width = 32

    def _laid_out(self, end: Any, memory: AnyMemory) -> Iterator[Term]:
        address = self.address.term
        yield z3.LShR(address, 22) < 0x300
        yield address & 0x807 == 0
        if len(memory.reads) == 2:
            yield z3.Select(self.array, memory.reads[0]) & FRAME_32 == self.layout.tables[1]
        if isinstance(end, Translation):
            yield plain(self.reading, end.physical) & FRAME_32 == self.layout.data
            if end.level == 2:
                yield z3.Select(self.array, memory.reads[0]) & 0xFFC00000 == 0


def _one_in_full(helpers: Sequence[Callable[..., Any]]) -> Iterator[Sequence[Callable[..., Any]]]:
    """All helpers summarised; then all but one."""
    yield helpers
    for helper in helpers:
        yield [other for other in helpers if other is not helper]


def guest_models(levels: int, physical_bits: int, layout: Layout) -> Iterator[Model]:
    """One for every path of the guest's walk, each solved when it is asked for."""
    for summarised in _one_in_full(GUEST_HELPERS):
        walk = _Symbolic(levels, physical_bits, layout)
        cpu = arbitrary(walk.reading, Cpu, "cpu", cr3=layout.tables[levels], levels=levels, beyond=walk.beyond)
        access = arbitrary(walk.reading, Access, "access")
        walk.conditions = [cpu.pkru.term >> 32 == 0, *_possible(access)]
        at = walk.address
        yield from walk.models(
            lambda memory, cpu=cpu, access=access, at=at: guest_walk.walk(  # type: ignore[misc]
                memory, cpu, at, access
            ),
            guest_walk.walk,
            summarised,
            cpu,
            access,
        )


def ept_models(levels: int, physical_bits: int, layout: Layout) -> Iterator[Model]:
    """One for every path of the EPT walk, each solved when it is asked for."""
    for summarised in _one_in_full(EPT_HELPERS):
        walk = _Symbolic(levels, physical_bits, layout)
        ept = arbitrary(walk.reading, Ept, "ept", root=layout.tables[levels], levels=levels, beyond=walk.beyond, advanced=False)
        use = arbitrary(walk.reading, Use, "use", about=0)
        walk.conditions = [
            z3.Or(use.read.term, use.write.term, use.fetch.term),
            z3.Not(z3.And(use.fetch.term, z3.Or(use.read.term, use.write.term))),
            z3.LShR(walk.address.term, min(physical_bits, 12 + 9 * levels)) == 0,  # no processor makes a use of any other
        ]
        at = walk.address
        yield from walk.models(
            lambda memory, ept=ept, use=use, at=at: ept_walk.ept_walk(  # type: ignore[misc]
                memory, ept, at, use
            ),
            ept_walk.ept_walk,
            summarised,
            ept,
            use,
        )


def pae_models(physical_bits: int, layout: Layout) -> Iterator[Model]:
    """One for every path of the walk of PAE paging."""
    for summarised in _one_in_full(LEGACY_HELPERS):
        walk = _SymbolicPae(2, physical_bits, layout)
        cpu = arbitrary(walk.reading, CpuPae, "cpu", beyond=walk.beyond)
        access = arbitrary(walk.reading, Access, "access")
        registers = (cpu.pdpte0.term, cpu.pdpte1.term, cpu.pdpte2.term, cpu.pdpte3.term)
        walk.conditions = [*_possible(access), *map(walk.loaded, registers)]
        at = walk.address
        yield from walk.models(
            lambda memory, cpu=cpu, access=access, at=at: legacy_walk.walk_pae(  # type: ignore[misc]
                memory, cpu, at, access
            ),
            legacy_walk.walk_pae,
            summarised,
            cpu,
            access,
        )


def models_32(physical_bits: int, layout: Layout) -> Iterator[Model]:
    """One for every path of the walk of 32-bit paging."""
    for summarised in _one_in_full(LEGACY_HELPERS):
        walk = _Symbolic32(2, physical_bits, layout)
        cpu = arbitrary(walk.reading, Cpu32, "cpu", cr3=layout.tables[2], beyond=walk.beyond)
        access = arbitrary(walk.reading, Access, "access")
        walk.conditions = _possible(access)
        at = walk.address
        yield from walk.models(
            lambda memory, cpu=cpu, access=access, at=at: legacy_walk.walk_32(  # type: ignore[misc]
                memory, cpu, at, access
            ),
            legacy_walk.walk_32,
            summarised,
            cpu,
            access,
        )


def _possible(access: Any) -> list[Term]:
    """That an access is one that there is."""
    return [
        z3.Not(z3.And(access.write.term, access.fetch.term)),
        z3.Not(z3.And(access.implicit.term, z3.Or(access.user.term, access.fetch.term))),
    ]
