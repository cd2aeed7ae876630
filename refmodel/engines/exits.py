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

from refmodel.designs import Direct, Ept, Interpreter, Nested, Npt, ShadowOnEpt, ShadowPages, ShadowTraced, ShadowUnsync, VirtualTlb
from refmodel.engines.exit_programs import Guest, InShadowPages, Paravirtual, Program, Shadowing, TwoDeep, Untranslated
from refmodel.language import Design, outline
from refmodel.machine.words import Word
from refmodel.machine.x86 import nested_walk
from refmodel.machine.x86.ept_walk import Ept as EptWalk
from refmodel.machine.x86.guest_walk import Access as BitAccess
from refmodel.machine.x86.guest_walk import Cpu, walk

ROUNDS = 50
"""How often a pattern is gone through."""
LEVELS = 4
"""Of the tables that are walked, in each dimension."""


@attrs.frozen
class Measured:
    """An MMU: its exits per hundred instructions, by pattern (None: its guests do no such thing), and the memory references of a
    TLB miss (None: there is no TLB)."""

    mmu: str
    exits: dict[str, float | None]
    references: int | None
    most_exits: int
    """The most exits of one load or store that were met; of those that always exit, one."""
    at_most: int
    """The most that there can be, if no allocation fails and the monitor takes nothing back meanwhile."""
    laws: tuple[str, ...]
    """The laws, proved of the design, that say so."""
    at_most_references: int | None
    """The most memory references that a walk can take (``proofs/x86/references.py``)."""


PATTERNS: dict[str, Callable[[Any], None]] = {
    "pages in the TLB": Program.touch,
    "TLB misses": Program.touch_without_tlb,
    "table edits": Program.edit_table,
    "address space switches": Program.switch,
    "L1 maps a page for L2": Program.map_for_l2,
}
"""What is done, as a program does it."""


@attrs.frozen
class Subject:
    """An MMU, a program for it, the instructions that always exit, and the dimensions of its walk (0: it has none)."""

    design: type[Design]
    program: type[Program]
    trapping: frozenset[str]
    dimensions: int
    at_most: int
    """Exits of one load or store, at most."""
    laws: tuple[str, ...]
    """The laws by which that is so: what an access exits for, and that what is served gets it further."""
    taken_by: tuple[Any, ...] = ()
    """An operation, with its arguments, by which the monitor takes all translations back."""


SHADOWED = ("an_installed_shadow_entry_does_not_exit", "a_served_fault_makes_progress", "a_fault_waits_only_if_its_page_waits")
"""A fault that is served leaves the very entry that the access needs."""
LINEAR = ("shadowed_accesses_do_not_exit", "a_served_linear_fault_makes_progress")
SECOND = (
    "an_installed_translation_does_not_exit",
    "a_served_exit_makes_progress",
    "a_served_exit_takes_nothing_away",
    "a_violation_waits_only_if_its_page_waits",
)
"""An access by linear address needs two translations: of the guest's table, and of the page."""
DERIVED = ("a_derived_entry_does_not_exit", "a_served_derivation_makes_progress", "a_derivation_waits_only_if_its_page_waits")
COMPOSED = ("composed_accesses_do_not_exit", "a_served_violation_makes_progress", "a_violation_of_l2_waits_only_if_its_page_waits")


DOES_ALL = frozenset(["load", "store", "fetch", "load_unpaged", "store_unpaged", "invlpg", "mov_cr3", "invpcid"])
MMUS: dict[str, Subject] = {
    "interpreter": Subject(Interpreter, Guest, DOES_ALL, 0, 1, ("an_emulated_access_waits_only_if_its_page_waits",)),
    "vtlb": Subject(VirtualTlb, Guest, frozenset(["invlpg", "mov_cr3", "invpcid"]), 1, 1, SHADOWED),
    "shadow_traced": Subject(ShadowTraced, Guest, frozenset(["mov_cr3"]), 1, 1, SHADOWED),
    "shadow_unsync": Subject(
        ShadowUnsync,
        Guest,
        frozenset(["invlpg", "mov_cr3", "invpcid"]),
        1,
        1,
        (*LINEAR, "a_linear_fault_waits_only_if_its_page_waits"),
    ),
    "shadow_pages": Subject(
        ShadowPages,
        InShadowPages,
        frozenset(["mov_cr3", "invpcid"]),
        1,
        1,
        (*LINEAR, "a_shadow_page_fault_waits_only_if_its_page_waits"),
    ),
    "direct": Subject(
        Direct,
        Paravirtual,
        frozenset(["mmu_update", "update_va_mapping", "new_baseptr", "invlpg"]),
        1,
        0,
        ("direct_accesses_do_not_exit",),
    ),
    "ept": Subject(Ept, Guest, frozenset(), 2, 2, SECOND, ("reclaim_table", 0)),
    "npt": Subject(Npt, Untranslated, frozenset(), 2, 1, DERIVED),
    "shadow_on_ept": Subject(ShadowOnEpt, Shadowing, frozenset(["vmresume", "l1_invvpid"]), 2, 2, SECOND, ("reclaim_table", 0)),
    "nested": Subject(Nested, TwoDeep, frozenset(["vmcall", "vmlaunch", "invept", "invept_all"]), 2, 1, COMPOSED),
}


def exits_per_hundred(name: str, pattern: Callable[[Any], None]) -> float | None:
    """What a guest exits in a hundred instructions of a pattern, once it is warm; None where it does no such thing."""
    guest = _warm(name, pattern)
    return None if guest is None else 100 * guest.exits / guest.instructions


def exits_each(name: str, pattern: Callable[[Any], None]) -> float | None:
    """What a guest exits each time that it goes through a pattern; None where it does no such thing."""
    guest = _warm(name, pattern)
    return None if guest is None else guest.exits / ROUNDS


def _warm(name: str, pattern: Callable[[Any], None]) -> Program | None:
    """A guest that has gone through a pattern ``ROUNDS`` times after the first."""
    subject = MMUS[name]
    own = getattr(subject.program, pattern.__name__)
    if pattern.__name__ not in subject.program.does:
        return None
    guest = subject.program(outline(subject.design), subject.trapping)
    own(guest)
    guest.exits = guest.instructions = 0
    for _ in range(ROUNDS):
        own(guest)
    return guest


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


def most_exits(name: str) -> int:
    """The most exits of one load or store, where all patterns are gone through and translations are taken back in between."""
    subject = MMUS[name]
    guest = subject.program(outline(subject.design), subject.trapping)
    for pattern in PATTERNS.values():
        if subject.taken_by:
            guest.take(*subject.taken_by)
        if pattern.__name__ in guest.does:
            getattr(guest, pattern.__name__)()
    return max(guest.most, int("load" in subject.trapping))


def measure() -> list[Measured]:
    """Every MMU by every pattern."""
    return [
        Measured(
            name,
            {p: exits_per_hundred(name, run) for p, run in PATTERNS.items()},
            references(subject.dimensions == 2) if subject.dimensions else None,
            most_exits(name),
            subject.at_most,
            subject.laws,
            (None, LEVELS, nested_walk.most_references(LEVELS, LEVELS))[subject.dimensions],
        )
        for name, subject in MMUS.items()
    ]
