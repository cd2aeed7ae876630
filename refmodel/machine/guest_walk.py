"""The guest's page walk, bit for bit: 4-level and 5-level paging of x86-64.

From a linear address, the registers and memory to a physical address or a page fault, and to the accessed and dirty flags that
are set on the way. (SDM Vol. 3A chapter 4, mainly 4.5 *4-level paging and 5-level paging*, 4.6 *access rights*, 4.7
*page-fault exceptions*, 4.8 *accessed and dirty flags*.)
"""

from collections.abc import Callable
from typing import Annotated

import attrs

from refmodel.language import Bits, Fault

Word = Annotated[int, Bits(64)]

P, RW, US, A, D, PS, G, NX = 1 << 0, 1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 63
RSVD, FETCH = 1 << 3, 1 << 4
"""Further bits of a page-fault error code, whose bits 0 to 2 are P, RW (here: a write) and US (a user access)."""

PAGE = 1 << 12
FRAME = (1 << 52) - PAGE
"""Bits 51:12 of an entry or of CR3: the address of a frame, in bytes."""


@attrs.frozen
class Cpu:
    """The registers and capabilities that a walk depends on."""

    cr3: Word
    levels: int = 4
    """4, or 5 with CR4.LA57."""
    wp: bool = True
    """CR0.WP: supervisor writes obey R/W."""
    smep: bool = False
    smap: bool = False
    nxe: bool = True
    """EFER.NXE: bit 63 means no-execute; without it, it is reserved."""
    physical_bits: int = 40
    """MAXPHYADDR."""
    gigabyte_pages: bool = True
    amd: bool = False
    """AMD reserves bit 8 of PML4 and PML5 entries (APM Vol. 2 5.3.3), Intel ignores it."""


@attrs.frozen
class Access:
    """One access: by CPL 3 or not, and what it does. ``ac`` is EFLAGS.AC, which lifts SMAP."""

    user: bool = False
    write: bool = False
    fetch: bool = False
    ac: bool = False


@attrs.frozen
class PageFault(Fault):
    """#PF with its error code."""

    code: Word


@attrs.frozen
class NotCanonical(Fault):
    """#GP: bits 63 down to the highest of the linear address are not all the same."""


@attrs.frozen
class Used:
    """An entry that the walk used: its address, its level (1 for a PTE), and whether it maps a page."""

    address: Word
    level: int
    leaf: bool


@attrs.frozen
class Walk:
    """How a walk ended, and the entries that it used, from the root."""

    physical: Word
    fault: Fault | None
    used: tuple[Used, ...]


def canonical(gva: Word, levels: int) -> bool:
    """Whether bits 63:47 (63:56 with 5 levels) of a linear address are all the same (SDM Vol. 1 3.3.7.1)."""
    top = gva >> (11 + 9 * levels)
    return top == 0 or top == (1 << (53 - 9 * levels)) - 1


def reserved(cpu: Cpu, level: int, leaf: bool) -> Word:
    """The bits that must be zero in a present entry of a level (SDM Vol. 3A tables 4-15 to 4-20)."""
    bits = (1 << 52) - (1 << cpu.physical_bits)
    if not cpu.nxe:
        bits |= NX
    if level >= 4 or (level == 3 and not cpu.gigabyte_pages):
        bits |= PS
    if level >= 4 and cpu.amd:
        bits |= G
    if leaf and level > 1:
        bits |= (1 << (3 + 9 * level)) - (1 << 13)  # bit 12 is PAT
    return bits


def allowed(cpu: Cpu, access: Access, user_page: bool, writable: bool, no_execute: bool) -> bool:
    """Whether an access has the rights that a page of these rights asks for (SDM Vol. 3A 4.6.1)."""
    if access.fetch and no_execute:
        return False
    if access.user:
        return user_page and (writable or not access.write)
    if user_page and access.fetch:
        return not cpu.smep
    if user_page and cpu.smap and not access.ac:
        return False
    return writable or not (access.write and cpu.wp)


def reason(cpu: Cpu, access: Access) -> Word:
    """The part of the error code that is known before the walk begins (SDM Vol. 3A 4.7)."""
    code = 0
    if access.write:
        code |= RW
    if access.user:
        code |= US
    if access.fetch and (cpu.nxe or cpu.smep):
        code |= FETCH
    return code


def walk(read: Callable[[Word], Word], cpu: Cpu, gva: Word, access: Access) -> Walk:
    """Translate; ``read`` gives the 8-byte entry at a physical address. Memory is not changed."""
    if not canonical(gva, cpu.levels):
        return Walk(0, NotCanonical(), ())
    why, table, rights, denied = reason(cpu, access), cpu.cr3 & FRAME, RW | US, 0
    used: list[Used] = []
    for level in range(cpu.levels, 0, -1):
        shift = 3 + 9 * level
        address = table | (gva >> shift & 0x1FF) << 3
        entry = read(address)
        if not entry & P:
            return Walk(0, PageFault(why), tuple(used))
        leaf = level == 1 or (level < 4 and entry & PS != 0)
        if entry & reserved(cpu, level, leaf):
            return Walk(0, PageFault(why | P | RSVD), tuple(used))
        used.append(Used(address, level, leaf))
        rights, denied, table = rights & entry, denied | entry, entry & FRAME
        if leaf:
            break
    if not allowed(cpu, access, rights & US != 0, rights & RW != 0, denied & NX != 0):
        return Walk(0, PageFault(why | P), tuple(used))
    offset = (1 << shift) - 1
    return Walk(table & ~offset | gva & offset, None, tuple(used))


def flags_due(result: Walk, access: Access) -> dict[Word, tuple[Word, Word]]:
    """For each entry used, by address: the flags that must be set after the access, and those that may be besides.

    An access that completes sets A in every entry used and D in the leaf if it writes. One that faults may have set A in the
    entries above the leaf, which were used to get there; a leaf that does not let the access through is not used for it.
    """
    if result.fault is not None:
        return {u.address: (0, 0 if u.leaf else A) for u in result.used}
    due: dict[Word, tuple[Word, Word]] = {}
    for u in result.used:
        must, may = due.get(u.address, (0, 0))  # tables may map themselves
        due[u.address] = must | A | (D if access.write and u.leaf else 0), may
    return due
