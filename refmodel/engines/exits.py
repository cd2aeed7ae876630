"""How often a guest exits, by what it does and by the MMU under it; and how many memory references a TLB miss costs.

Efficiency measured: the designs run on ints, the guest takes a fixed number of instructions of a pattern, and whatever exits
is served by the design's own handler and tried again. Shadow paging pays with exits for what EPT pays with references: a
guest that edits its tables exits under the one, a guest that misses the TLB walks in two dimensions under the other. (Adams
and Agesen, ASPLOS 2006; Bhargava et al., ASPLOS 2008.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from refmodel.designs import Ept, Interpreter, ShadowTraced, ShadowUnsync, VirtualTlb
from refmodel.engines.machine import Machine
from refmodel.language import Design, geometry, outline
from refmodel.language.design import Operation, Outline
from refmodel.machine import nested_walk
from refmodel.machine.cells import Cell
from refmodel.machine.ept_walk import Ept as EptWalk
from refmodel.machine.guest_walk import Access as BitAccess
from refmodel.machine.guest_walk import Cpu, walk
from refmodel.machine.words import Word

ROUNDS = 50
"""How often a pattern is gone through."""
ROOT, OTHER_ROOT, LEAF, DATA = 0, 1, 2, 3
SIZE = geometry(Vm=1, Vcpu=1, Gfn=4, Mfn=6, Index=2, naturals=1, only={Cell: (Cell(),)})
TABLE_PAGE, DATA_PAGE = 1, 0
"""The linear page by which the guest reaches its own table, and one of data."""


@attrs.frozen
class Measured:
    """An MMU: its exits per hundred instructions, by pattern, and the memory references of a TLB miss (None: there is no TLB)."""

    mmu: str
    exits: dict[str, float]
    references: int | None


class Guest(Machine):
    """A VM that runs instruction after instruction, and counts its exits. Allocations succeed; ``misses`` empties the TLB."""

    def __init__(self, design: Outline, trapping: frozenset[str]) -> None:
        super().__init__(design, SIZE)
        self.trapping, self.misses, self.exits, self.instructions = trapping, False, 0, 0
        self.two_levels = any(len(t.keys) == 4 for t in design.tables if t.name == "tlb")
        self.power_on(lambda options: options[0])

    def yes(self, question: str) -> bool:
        return "cached" in question and not self.misses

    def named(self, name: str) -> Operation:
        return self.design.operation(name)

    def take(self, name: str, *arguments: Any) -> Any:
        """Take a step; None if it does not apply."""
        taken = self.attempt(self.named(name), arguments, lambda options: options[0])
        self.settle()
        return taken[1] if taken else None

    def run(self, name: str, *arguments: Any) -> None:
        """An instruction, to its end."""
        self.instructions += 1
        self.exits += name in self.trapping
        for _ in range(8):
            outcome = self.take(name, *arguments)
            if not (hasattr(outcome, "shown") and outcome.shown.event.name == "EXITED"):
                return
            self.exits += 1
            if self._served(name, arguments, outcome):
                return
        raise AssertionError(f"{self.design.name}: {name}{arguments} exits for ever")

    def _served(self, name: str, arguments: tuple[Any, ...], outcome: Any) -> bool:
        """Let the monitor serve an exit; whether that completed the instruction."""
        if hasattr(outcome, "gfn"):
            self.take("ept_violation", 0, outcome.gfn, outcome.write)
            return False
        place = arguments[:-2] if name == "store" else arguments[:-1]
        if self.take("page_fault", *place, outcome.access) is None and name == "store":
            return self.take("emulate_store", *arguments) is not None
        return False

    # ------------------------------------------------------------ the guest's own program

    def page(self, number: int) -> tuple[int, ...]:
        """A linear page, as the instructions of this guest name it."""
        return (0, 0, 0, number) if self.two_levels else (0, 0, number)

    def boot(self) -> None:
        """Memory, tables, and paging on. Two roots that say the same, so that address spaces can be switched."""
        for gfn in range(4):
            self.take("populate", 0, gfn)
        to_leaf, tables = Cell(True, True, True, LEAF), (LEAF,) if self.two_levels else (ROOT, OTHER_ROOT)
        for root in (ROOT, OTHER_ROOT) if self.two_levels else ():
            self.run("store_unpaged", 0, 0, root, 0, to_leaf)
        for table in tables:
            self.run("store_unpaged", 0, 0, table, DATA_PAGE, Cell(True, True, True, DATA))
            self.run("store_unpaged", 0, 0, table, TABLE_PAGE, Cell(True, True, True, tables[0]))
        self.run("mov_cr3", 0, 0, ROOT)
        for number in (DATA_PAGE, TABLE_PAGE):
            self.run("load", *self.page(number), 0)
        self.exits = self.instructions = 0


def touch(guest: Guest) -> None:
    guest.run("load", *guest.page(DATA_PAGE), 0)
    guest.run("store", *guest.page(DATA_PAGE), 0, Cell())


def touch_without_tlb(guest: Guest) -> None:
    guest.misses = True
    touch(guest)


def edit_table(guest: Guest) -> None:
    """Change an entry by an ordinary store, invalidate it, use it."""
    guest.run("store", *guest.page(TABLE_PAGE), DATA_PAGE, Cell(True, True, True, DATA))
    guest.run("invlpg", *guest.page(DATA_PAGE))
    guest.run("load", *guest.page(DATA_PAGE), 0)


def switch(guest: Guest) -> None:
    """Another address space, and what it touches first."""
    for root in (OTHER_ROOT, ROOT):
        guest.run("mov_cr3", 0, 0, root)
        guest.run("load", *guest.page(DATA_PAGE), 0)


PATTERNS: dict[str, Callable[[Guest], None]] = {
    "pages in the TLB": touch, "TLB misses": touch_without_tlb, "table edits": edit_table, "address space switches": switch}
DOES_ALL = frozenset(["load", "store", "fetch", "load_unpaged", "store_unpaged", "invlpg", "mov_cr3"])
MMUS: dict[str, tuple[type[Design], frozenset[str]]] = {
    "interpreter": (Interpreter, DOES_ALL), "vtlb": (VirtualTlb, frozenset(["invlpg", "mov_cr3"])),
    "shadow_traced": (ShadowTraced, frozenset(["mov_cr3"])), "shadow_unsync": (ShadowUnsync, frozenset(["invlpg", "mov_cr3"])),
    "ept": (Ept, frozenset())}
"""Each with the instructions that always exit."""


def exits_per_hundred(name: str, pattern: Callable[[Guest], None]) -> float:
    """What a guest exits in a hundred instructions of a pattern, once it is warm."""
    design, trapping = MMUS[name]
    guest = Guest(outline(design), trapping)
    guest.boot()
    pattern(guest)
    guest.exits = guest.instructions = 0
    for _ in range(ROUNDS):
        pattern(guest)
    return 100 * guest.exits / guest.instructions


GUEST_TABLE, EPT_LEAVES = 0x10000, 4


class CountingMemory:
    """A guest's table that leads to itself, and EPT's four that map everything to where it is; and how often they are read."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, address: Word) -> Word:
        self.reads += 1
        page = address >> 12
        if address >= GUEST_TABLE:
            return GUEST_TABLE | 0x27  # present, writable, user, accessed
        if page < EPT_LEAVES:
            return page + 1 << 12 | 0x7  # read, write, execute: the next table
        return (address & 0xFFF) >> 3 << 12 | 0x37  # the same, write-back

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        """Flags are set with the read."""


def references(two_dimensional: bool) -> int:
    """Memory references of a walk, counted by walking bit by bit with four levels each."""
    memory, cpu = CountingMemory(), Cpu(cr3=GUEST_TABLE)
    if two_dimensional:
        nested_walk.walk_through_ept(memory, EptWalk(root=0x1000), cpu, 0, BitAccess())
    else:
        walk(memory, cpu, 0, BitAccess())
    return memory.reads


def measure() -> list[Measured]:
    """Every MMU by every pattern."""
    return [Measured(name, {p: exits_per_hundred(name, run) for p, run in PATTERNS.items()},
                     None if name == "interpreter" else references(name == "ept")) for name in MMUS]


