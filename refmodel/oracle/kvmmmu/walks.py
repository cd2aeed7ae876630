"""Walks as KVM reports them, and how the architecture lets a walk end that reads these entries."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Translation
from refmodel.machine.x86.ept_walk import Ept, Use, ept_walk
from refmodel.machine.x86.guest_walk import PK, Access, Cpu, NotCanonical, PageFault, canonical, walk
from refmodel.machine.x86.words import FRAME, PS, A, D, lacking

FETCH, WRITE, USER = 1 << 4, 1 << 1, 1 << 2
"""Bits of the access that a walk is told to be for."""
NO_ACCESS, NO_WRITES = 0x5555_5555, 0xAAAA_AAAA
"""PKRU that denies every access by every key, and every write (SDM Vol. 3A 4.6.2)."""
LOW_FRAME, MIDDLE_FRAME = (1 << 30) - (1 << 12), (1 << 36) - (1 << 30)
"""Bits of an entry's frame: in a large leaf some of the low ones are reserved. MAXPHYADDR is 36 at least."""


class _Told:
    """Memory that holds the entries that were told, in the order in which they were read."""

    def __init__(self, elements: tuple[int, ...]) -> None:
        self.elements, self.reads = elements, 0

    def read(self, address: int) -> int:
        if self.reads == len(self.elements):
            raise _MoreIsRead
        self.reads += 1
        return self.elements[self.reads - 1]

    def mark(self, address: int, entry: int, flags: int) -> None:
        """Flags are told apart."""


class _MoreIsRead(Exception):
    """The walk would go on where the told one ended."""


@attrs.define
class Walk:
    """A walk under way, for a task."""

    line: int
    address: int
    access: int
    elements: list[tuple[int, int]] = attrs.field(factory=list)
    """Entries, and their levels."""
    error: int | None = None
    marks: dict[int, int] = attrs.field(factory=dict)
    ended: bool = False
    whole: bool = True
    """Whether its beginning was seen."""
    guessed: bool = False
    """Whether it is taken for a walk of a guest's own EPT, whose entries give rights and have flags by other bits."""
    within: Walk | None = None
    """The walk of an L2 guest's own tables that this one, of L1's EPT, is a part of: of the guest-physical address of a table."""

    def entries(self) -> tuple[int, ...]:
        return tuple(entry for entry, _ in self.elements)

    @property
    def is_at_leaf(self) -> bool:
        """Whether no further entry is read after the last."""
        return bool(self.elements) and (self.elements[-1][1] == 1 or bool(self.elements[-1][0] & PS))

    def may_go_on_by(self, other: Walk) -> bool:
        """Whether the next entry may be in a table at the address that another walk translates; before the first it is not told
        where that is."""
        return self.whole and not self.is_at_leaf and (not self.elements or self.elements[-1][0] & FRAME == other.address & FRAME)

    def leads_to_gfn(self) -> int | None:
        """The guest frame that it leads to; None where it leads to none yet."""
        if not self.is_at_leaf or not self.whole:
            return None
        entry, level = self.elements[-1]
        within = (1 << 9 * (level - 1)) - 1
        return (entry & FRAME) >> 12 & ~within | self.address >> 12 & within

    def leads_to(self, other: Walk) -> bool:
        """Whether another walk may translate the guest-physical address that this one leads to."""
        return self.leads_to_gfn() == other.address >> 12

    def goes_on_with(self, level: int) -> bool:
        """Whether an entry of this level comes next."""
        return not self.is_at_leaf and (level == self.elements[-1][1] - 1 if self.elements else level >= 2)

    def begins_again_with(self, level: int) -> bool:
        """Whether an entry of this level is read since another processor changed one of which a flag was to be set."""
        return bool(self.marks) and bool(self.elements) and self.is_at_leaf and level == self.elements[0][1]

    def known(self) -> bool:
        """Whether all of it was seen, and its tables are of a format that the text knows."""
        return self.whole and bool(self.elements) and self.elements[0][1] in (4, 5)


def ends(entries: tuple[int, ...], levels: int, address: int, access: int, keys: bool = False) -> frozenset[int | None]:
    """The ways in which a walk that reads these entries may end, under any registers: error codes, or None where it completes.
    ``keys``: also those in which PKRU denies the access, whose codes alone have the bit for it (SDM Vol. 3A 4.7)."""
    alike = tuple(_what_matters(entry, levels - at) for at, entry in enumerate(entries))
    return _ends(alike, levels, 0 if canonical(address, levels) else 1 << 63, access, keys)


def _what_matters(entry: int, level: int) -> int:
    """The entry without the bits that no end depends on: A, D, what is ignored, and the frame up to bit 29, or bit 35 where no
    lower bit of it is reserved. So walks through other frames are looked up, not walked again."""
    large = entry & PS and level in (2, 3)
    return entry & ~(A | D | 0xE00 | (LOW_FRAME if not large else 0) | MIDDLE_FRAME)


@functools.lru_cache(maxsize=1 << 16)
def _ends(entries: tuple[int, ...], levels: int, address: int, access: int, keys: bool) -> frozenset[int | None]:
    kind = Access(user=access & USER != 0, write=access & WRITE != 0, fetch=access & FETCH != 0)
    found: set[int | None] = set()
    rights = ((False, 0), (True, NO_ACCESS), (True, NO_WRITES)) if keys else ((False, 0),)
    for flags, bits, (pke, pkru) in itertools.product(itertools.product((True, False), repeat=7), _widths(entries), rights):
        wp, smep, smap, nxe, ac, gigabyte_pages, amd = flags
        cpu = Cpu(0, levels, wp, smep, smap, nxe, pke, pkru, lacking(bits), gigabyte_pages, amd)
        memory = _Told(entries)
        try:
            end: Translation | Fault = walk(memory, cpu, address, attrs.evolve(kind, ac=ac))
        except _MoreIsRead:
            continue
        except (PageFault, NotCanonical) as fault:
            end = fault
        if memory.reads == len(entries):
            found.add(end.code if isinstance(end, PageFault) else None)
    return frozenset(found)


def _widths(entries: tuple[int, ...]) -> list[int]:
    """MAXPHYADDRs, of 36 at least, of which every other is like one: each entry's frame has a reserved bit set, or has none."""
    highest = {(entry & FRAME).bit_length() for entry in entries}
    return sorted({52, *(max(36, width + more) for width in highest for more in (-1, 0))}, reverse=True)


@functools.lru_cache(maxsize=1 << 12)
def is_ept(entries: tuple[int, ...], levels: int, address: int) -> bool:
    """Whether a walk of a guest's own EPT may complete that reads these entries."""
    return True in _ends_by_ept(entries, levels, address, Use())


@functools.lru_cache(maxsize=1 << 12)
def may_fail_by_ept(entries: tuple[int, ...], levels: int, address: int) -> bool:
    """Whether a walk of a guest's own EPT may end in an EPT violation or misconfiguration at the last of these entries, which gives
    some right: to one that gives none, both kinds of walk come to the same end."""
    if not entries[-1] & 7:
        return False
    return any(False in _ends_by_ept(entries, levels, address, use) for use in (Use(read=True), Use(write=True), Use(fetch=True)))


def _ends_by_ept(entries: tuple[int, ...], levels: int, address: int, use: Use) -> Iterator[bool]:
    """For each kind of EPT by which a walk reads all of these entries: whether it completes."""
    for flags, by_mode in itertools.product((False, True), (False, True)):
        memory, completes = _Told(entries), True
        try:
            ept_walk(memory, Ept(0, levels, flags, by_mode, beyond=lacking(52)), address, use)
        except _MoreIsRead:
            continue
        except Fault:
            completes = False
        if memory.reads == len(entries):
            yield completes


def end_in_words(error: int | None) -> str:
    return "completes" if error is None else f"ends in a page fault with error code {error:#x}"


def due_in_words(walked: Walk) -> Iterator[str]:
    """The ways in which a walk through these entries may end, and after how many of them."""
    entries, levels = walked.entries(), walked.elements[0][1]
    for number in range(1, len(entries) + 1):
        keys = bool((walked.error or 0) & PK)
        for error in sorted(ends(entries[:number], levels, walked.address, walked.access, keys), key=str):
            yield f"the walk {end_in_words(error)} at its {('first', 'second', 'third', 'fourth', 'fifth')[number - 1]} entry"
    if entries[-1] & 1 and levels - len(entries):
        yield "the walk goes on"
