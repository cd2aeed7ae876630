"""An input for every path of the walks, found by the solver.

A walk is explored with its helpers summarised, and then with each helper in turn followed path by path. So there is a test for
every way through the walk, and for every way through a helper wherever the walk gets to it. The tables are laid where the
machines under judgement have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.arbitrary import EPT_HELPERS, GUEST_HELPERS, AnyMemory, Values, arbitrary, plain, word
from refmodel.engines.functions import Path, explore
from refmodel.engines.symbolic import Symbolic
from refmodel.language.asking import Fault
from refmodel.machine import ept_walk, guest_walk
from refmodel.machine.ept_walk import Ept, Use
from refmodel.machine.guest_walk import Access, Cpu
from refmodel.machine.words import FRAME, Translation, lacking
from refmodel.oracle.agent.image import TABLES, WINDOW
from refmodel.oracle.walk_tests import WalkTest

Term = Any
LAST_SLOT = 511
"""Of a root: kept for the agent's own use."""


@attrs.frozen
class EptTest:
    """A use of a guest-physical address under EPT."""

    entries: dict[int, int]
    ept: Ept
    gpa: int
    use: Use


class _Symbolic:
    """A walk on arbitrary inputs, its tables where they are to be."""

    def __init__(self, levels: int, physical_bits: int) -> None:
        self.levels, self.beyond = levels, lacking(physical_bits)
        self.reading = Symbolic(prune=False)
        self.array = z3.Array("memory", z3.BitVecSort(64), z3.BitVecSort(64))
        self.address = word(self.reading, "address")
        self.conditions: list[Term] = []

    def walked(self, walk: Callable[[AnyMemory], Any], text: Callable[..., Any],
               summarised: Sequence[Callable[..., Any]]) -> Iterator[tuple[Values, list[int], Any]]:
        """For every path that can be taken: a model, the entries that it reads, and how it ends."""
        def run() -> tuple[Any, AnyMemory]:
            memory = AnyMemory(self.reading, self.array)
            try:
                return walk(memory), memory
            except Fault as fault:
                return fault, memory

        for path in explore(self.reading, run, [text], summarised=summarised):
            model = self._model(path)
            if model is not None:
                value = Values(model)
                yield value, [value(at) for at in path.result[1].reads], path.result[0]

    def _model(self, path: Path) -> z3.ModelRef | None:
        solver = z3.Solver()
        solver.add(*self.conditions, *path.conditions, *self._laid_out(*path.result))
        return solver.model() if solver.check() == z3.sat else None

    def _laid_out(self, end: Any, memory: AnyMemory) -> Iterator[Term]:
        """Each table leads to the next one's place, and the last entry to a page that is there."""
        address = self.address.term
        root = z3.Extract(8, 0, z3.LShR(address, 3 + 9 * self.levels))
        yield root != LAST_SLOT
        yield address & 0x807 == 0
        for number, at in enumerate(memory.reads[:-1]):
            yield z3.Select(self.array, at) & FRAME & ~self.beyond == TABLES[self.levels - 1 - number]
        if isinstance(end, Translation):
            offset = (1 << 3 + 9 * end.level) - 1
            physical = plain(self.reading, end.physical)
            yield physical & ~z3.BitVecVal(0xFFF, 64) == WINDOW[0]
            if end.level > 1:
                yield z3.Select(self.array, memory.reads[-1]) & FRAME & ~z3.BitVecVal(offset, 64) == 0


def _one_in_full(helpers: Sequence[Callable[..., Any]]) -> Iterator[Sequence[Callable[..., Any]]]:
    """All helpers summarised; then all but one."""
    yield helpers
    for helper in helpers:
        yield [other for other in helpers if other is not helper]


def guest_tests(levels: int, physical_bits: int) -> list[WalkTest]:
    """One for every path of the guest's walk. (A list: while paths are followed, the walk is not to be used for anything else.)"""
    return list(_guest_tests(levels, physical_bits))


def _guest_tests(levels: int, physical_bits: int) -> Iterator[WalkTest]:
    for summarised in _one_in_full(GUEST_HELPERS):
        walk = _Symbolic(levels, physical_bits)
        cpu = arbitrary(walk.reading, Cpu, "cpu", cr3=TABLES[levels], levels=levels, beyond=walk.beyond)
        access = arbitrary(walk.reading, Access, "access")
        walk.conditions = [cpu.pkru.term >> 32 == 0, z3.Not(z3.And(access.write.term, access.fetch.term)),
                           z3.Not(z3.And(access.implicit.term, z3.Or(access.user.term, access.fetch.term)))]
        for value, reads, _ in walk.walked(lambda memory, cpu=cpu, access=access, at=walk.address: guest_walk.walk(  # type: ignore[misc]
                memory, cpu, at, access), guest_walk.walk, summarised):
            words = value.words(walk.array)
            yield WalkTest({at: words.get(at) for at in reads}, value.record(cpu), value(walk.address.term), value.record(access))


def ept_tests(levels: int, physical_bits: int) -> list[EptTest]:
    """One for every path of the EPT walk."""
    return list(_ept_tests(levels, physical_bits))


def _ept_tests(levels: int, physical_bits: int) -> Iterator[EptTest]:
    for summarised in _one_in_full(EPT_HELPERS):
        walk = _Symbolic(levels, physical_bits)
        ept = arbitrary(walk.reading, Ept, "ept", root=TABLES[levels], levels=levels, beyond=walk.beyond, advanced=False)
        use = arbitrary(walk.reading, Use, "use", about=0)
        walk.conditions = [z3.Or(use.read.term, use.write.term, use.fetch.term),
                           z3.Not(z3.And(use.fetch.term, z3.Or(use.read.term, use.write.term)))]
        for value, reads, _ in walk.walked(lambda memory, ept=ept, use=use, at=walk.address: ept_walk.ept_walk(  # type: ignore[misc]
                memory, ept, at, use), ept_walk.ept_walk, summarised):
            words = value.words(walk.array)
            yield EptTest({at: words.get(at) for at in reads}, value.record(ept), value(walk.address.term), value.record(use))
