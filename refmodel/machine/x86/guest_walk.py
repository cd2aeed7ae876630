"""The guest's page walk, bit for bit: 4-level and 5-level paging of x86-64.

From a linear address, the registers and memory to a physical address or a fault, and to the accessed and dirty flags that
are set on the way. (SDM Vol. 3A chapter 4, mainly 4.5 *4-level paging and 5-level paging*, 4.6 *access rights*, 4.7
*page-fault exceptions*, 4.8 *accessed and dirty flags*; APM Vol. 2 chapter 5.)
"""

from __future__ import annotations

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Late, Translation, WalkMemory, Word
from refmodel.machine.x86.words import FRAME, NX, PS, RW, US, A, D, G, P, lacking

RSVD, FETCH, PK = 1 << 3, 1 << 4, 1 << 5
"""Further bits of a page-fault error code, whose bits 0 to 2 are P, RW (here: a write) and US (a user access)."""


@attrs.frozen
class Cpu:
    """The registers and capabilities that a walk depends on."""

    cr3: Word
    levels: int = 4
    """4, or 5 with CR4.LA57."""
    wp: bool = True
    """CR0.WP: supervisor writes obey R/W and protection keys."""
    smep: bool = False
    """CR4.SMEP: no supervisor fetch from a user page."""
    smap: bool = False
    """CR4.SMAP: no supervisor data access to a user page, unless EFLAGS.AC is set."""
    nxe: bool = True
    """EFER.NXE: bit 63 means no-execute; without it, it is reserved."""
    pke: bool = False
    """CR4.PKE: bits 62:59 of a user page's entry are a protection key."""
    pkru: Word = 0
    """32 bits. For key i, bit 2i denies data accesses and bit 2i + 1 denies writes (SDM Vol. 3A 4.6.2)."""
    beyond: Word = lacking(40)
    """The address bits above MAXPHYADDR, which are reserved in every entry: ``lacking(MAXPHYADDR)``."""
    gigabyte_pages: bool = True
    """CPUID.80000001H:EDX.Page1GB."""
    amd: bool = False
    """AMD reserves bit 8 of PML4 and PML5 entries (APM Vol. 2 5.3.3), Intel ignores it."""


@attrs.frozen
class Access:
    """One access to memory."""

    user: bool = False
    """Made at CPL 3, other than implicitly."""
    write: bool = False
    fetch: bool = False
    ac: bool = False
    """EFLAGS.AC."""
    implicit: bool = False
    """Made by the processor on its own, to a descriptor table or a TSS: a supervisor's at any CPL, and EFLAGS.AC does not
    help it past SMAP (SDM Vol. 3A 4.6)."""


@attrs.frozen
class PageFault(Fault):
    """#PF with its error code; CR2 gets the linear address."""

    code: Word


@attrs.frozen
class NotCanonical(Fault):
    """#GP, or #SS for a stack access: bits 63 down to the highest of the linear address are not all the same."""


def walk(memory: WalkMemory, cpu: Cpu, gva: Word, access: Access) -> Translation:
    """The physical address that a linear address stands for, in an access of this kind.

    Raises ``PageFault`` or ``NotCanonical``. Flags are set through ``memory.mark``: the accessed flag as an entry is used, the
    dirty flag when a write is let through; nothing is set in a leaf that lets the access not through.
    """
    if not canonical(gva, cpu.levels):
        raise NotCanonical
    return walk_tables(memory, cpu, gva, access)


def walk_tables(memory: WalkMemory, cpu: Cpu, address: Word, access: Access) -> Translation:
    """The walk itself, of which the bits of the address above those that select entries are no part. Nested tables, which
    translate guest-physical addresses, are walked so too (APM Vol. 2 15.25.5). Raises ``PageFault``."""
    why = reason(cpu, access)
    table, rights, denied = cpu.cr3 & FRAME, RW | US, 0
    for level in range(cpu.levels, 0, -1):
        shift = 3 + 9 * level
        slot = table | (address >> shift & 0x1FF) << 3
        entry = memory.read(slot)
        if not entry & P:
            raise PageFault(why)
        leaf = level == 1 or (level < 4 and entry & PS != 0)
        if entry & reserved(cpu, level, leaf):
            raise PageFault(why | P | RSVD)
        rights, denied, table = rights & entry, denied | entry, entry & FRAME
        if leaf:
            break
        memory.mark(slot, entry, A)
    if cpu.pke and rights & US != 0 and key_denies(cpu, access, entry):
        raise PageFault(why | P | PK)
    if not allowed(cpu, access, rights & US != 0, rights & RW != 0, denied & NX != 0):
        raise PageFault(why | P)
    memory.mark(slot, entry, flags_due(access))
    offset = (1 << shift) - 1
    return Translation(table & ~offset | address & offset, level, rights, denied, entry)


def walk_marking_late(memory: WalkMemory, cpu: Cpu, gva: Word, access: Access) -> Translation:
    """The guest's walk by a processor that sets no accessed or dirty flag before it knows that the access is allowed."""
    late = Late(memory)
    result = walk(late, cpu, gva, access)
    late.settle()
    return result


def flags_due(access: Access) -> Word:
    """The flags that an access which is let through sets in the leaf (SDM Vol. 3A 4.8)."""
    return A | D if access.write else A


def canonical(gva: Word, levels: int) -> bool:
    """Whether bits 63:47 (63:56 with 5 levels) of a linear address are all the same (SDM Vol. 1 3.3.7.1)."""
    top = gva >> (11 + 9 * levels)
    return top == 0 or top == (1 << (53 - 9 * levels)) - 1


def reserved(cpu: Cpu, level: int, leaf: bool) -> Word:
    """The bits that must be zero in a present entry of a level (SDM Vol. 3A tables 4-15 to 4-20)."""
    bits = cpu.beyond
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
    if user_page and cpu.smap and (access.implicit or not access.ac):
        return False
    return writable or not (access.write and cpu.wp)


def key_denies(cpu: Cpu, access: Access, entry: Word) -> bool:
    """Whether PKRU denies a data access to a user page mapped by this entry (SDM Vol. 3A 4.6.2)."""
    rights = cpu.pkru >> (entry >> 59 & 0xF) * 2
    if access.fetch:
        return False
    return rights & 1 != 0 or (rights & 2 != 0 and access.write and (access.user or cpu.wp))


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
