"""The page walks of a processor that is not in IA-32e mode: 32-bit paging, with PSE and PSE-36, and PAE paging, bit for bit.

(SDM Vol. 3A 4.3 *32-bit paging*, 4.4 *PAE paging*, 4.6 *access rights*, 4.7 *page-fault exceptions*.) A linear address has 32
bits; a walk ignores those above. There are no protection keys, and 32-bit paging has no no-execute. The PAT is supported. AMD's
processors, which may read a PDPTE from memory when they use it, are left out.
"""

from __future__ import annotations

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Translation, WalkMemory, Word
from refmodel.machine.x86.guest_walk import RSVD, Access, Cpu, PageFault, allowed, flags_due, reason, walk_tables
from refmodel.machine.x86.words import PS, RW, US, A, P, lacking

LINEAR_BITS = (1 << 32) - 1
FRAME_32 = LINEAR_BITS & ~0xFFF
"""Bits 31:12 of an entry of 32-bit paging, or of CR3: the address of a frame, in bytes."""
PDPT = LINEAR_BITS & ~0x1F
"""Bits 31:5 of CR3 with PAE paging: the address of the four PDPTEs, in bytes (SDM Vol. 3A table 4-7)."""
ABOVE_FRAME = 0x7FF << 52
"""Bits 62:52 of an entry of PAE paging. They are reserved, as those from MAXPHYADDR on are."""
PDPTE_RESERVED = 1 << 63 | ABOVE_FRAME | 0b1111 << 5 | 0b11 << 1
"""The reserved bits of a PDPTE, but for its address bits above MAXPHYADDR (SDM Vol. 3A table 4-8)."""


@attrs.frozen
class Cpu32:
    """The registers and capabilities that a walk of 32-bit paging depends on: CR4.PAE is 0."""

    cr3: Word
    wp: bool = True
    """CR0.WP."""
    smep: bool = False
    """CR4.SMEP."""
    smap: bool = False
    """CR4.SMAP."""
    pse: bool = True
    """CR4.PSE: an entry of the page directory may map 4 MiB."""
    pse36: bool = True
    """CPUID.01H:EDX.PSE-36: such a page may lie above 4 GiB."""
    beyond: Word = lacking(40)
    """The address bits above MAXPHYADDR: ``lacking(MAXPHYADDR)``."""


@attrs.frozen
class CpuPae:
    """The registers and capabilities that a walk of PAE paging depends on: CR4.PAE is 1, EFER.LMA is 0."""

    pdpte0: Word
    """The four PDPTE registers. CR3 is not looked at after they are loaded."""
    pdpte1: Word
    pdpte2: Word
    pdpte3: Word
    wp: bool = True
    """CR0.WP."""
    smep: bool = False
    """CR4.SMEP."""
    smap: bool = False
    """CR4.SMAP."""
    nxe: bool = True
    """EFER.NXE: bit 63 of an entry of levels 1 and 2 means no-execute; without it, it is reserved."""
    beyond: Word = lacking(40)
    """The address bits above MAXPHYADDR: ``lacking(MAXPHYADDR)``."""


@attrs.frozen
class BadPdpte(Fault):
    """#GP(0): MOV to CR3 would load a PDPTE with a reserved bit set. No register is loaded."""


def walk_32(memory: WalkMemory, cpu: Cpu32, gva: Word, access: Access) -> Translation:
    """The physical address that a linear address stands for under 32-bit paging, in an access of this kind.

    ``memory`` reads entries of 4 bytes, zero-extended. Flags are set as by ``guest_walk.walk``. Raises ``PageFault``.
    """
    rules = Cpu(cr3=cpu.cr3, wp=cpu.wp, smep=cpu.smep, smap=cpu.smap, nxe=False)
    why = reason(rules, access)
    table, rights = cpu.cr3 & FRAME_32, RW | US
    for level in range(2, 0, -1):
        shift = 2 + 10 * level
        slot = table | (gva >> shift & 0x3FF) << 2
        entry = memory.read(slot)
        if not entry & P:
            raise PageFault(why)
        leaf = level == 1 or (cpu.pse and entry & PS != 0)
        if level == 2 and leaf and entry & reserved_of_4_mib(cpu.pse36, cpu.beyond) != 0:
            raise PageFault(why | P | RSVD)
        rights, table = rights & entry, entry & FRAME_32
        if leaf:
            break
        memory.mark(slot, entry, A)
    if not allowed(rules, access, rights & US != 0, rights & RW != 0, False):
        raise PageFault(why | P)
    memory.mark(slot, entry, flags_due(access))
    offset = (1 << shift) - 1
    physical = table & ~offset | gva & offset
    if level == 2:
        physical |= (entry >> 13 & 0xFF) << 32
    return Translation(physical, level, rights, 0, entry)


def reserved_of_4_mib(pse36: bool, beyond: Word) -> Word:
    """The bits that must be zero in an entry that maps 4 MiB. Bits 20:13 are bits 39:32 of the page's address (SDM Vol. 3A 4.3)."""
    return 1 << 21 | ((beyond >> 32 & 0xFF) << 13 if pse36 else 0xFF << 13)


def walk_pae(memory: WalkMemory, cpu: CpuPae, gva: Word, access: Access) -> Translation:
    """The physical address that a linear address stands for under PAE paging, in an access of this kind.

    A PDPTE register selects the page directory, and gives and takes no rights. The two levels below are those of 4-level paging,
    but that bits 62:52 are reserved. Raises ``PageFault``.
    """
    pdpte = selected(cpu, gva)
    below = Cpu(cr3=pdpte, levels=2, wp=cpu.wp, smep=cpu.smep, smap=cpu.smap, nxe=cpu.nxe, beyond=cpu.beyond | ABOVE_FRAME)
    if not pdpte & P:
        raise PageFault(reason(below, access))
    return walk_tables(memory, below, gva, access)


def selected(cpu: CpuPae, gva: Word) -> Word:
    """The PDPTE register that bits 31:30 of an address select."""
    if gva >> 31 & 1 != 0:
        return cpu.pdpte3 if gva >> 30 & 1 != 0 else cpu.pdpte2
    return cpu.pdpte1 if gva >> 30 & 1 != 0 else cpu.pdpte0


def load_pdptes(memory: WalkMemory, cr3: Word, cpu: CpuPae, check_absent: bool = False) -> CpuPae:
    """MOV to CR3 with PAE paging: the processor with its four PDPTE registers loaded (SDM Vol. 3A 4.4.1).

    With ``check_absent`` the processor checks reserved bits where P is 0 too, as some do. Raises ``BadPdpte``.
    """
    table = cr3 & PDPT
    loaded = CpuPae(
        memory.read(table),
        memory.read(table + 8),
        memory.read(table + 16),
        memory.read(table + 24),
        cpu.wp,
        cpu.smep,
        cpu.smap,
        cpu.nxe,
        cpu.beyond,
    )
    if (
        malformed(loaded.pdpte0, cpu.beyond, check_absent)
        or malformed(loaded.pdpte1, cpu.beyond, check_absent)
        or malformed(loaded.pdpte2, cpu.beyond, check_absent)
        or malformed(loaded.pdpte3, cpu.beyond, check_absent)
    ):
        raise BadPdpte
    return loaded


def malformed(pdpte: Word, beyond: Word, check_absent: bool) -> bool:
    """Whether a PDPTE must not be loaded."""
    return (check_absent or pdpte & P != 0) and pdpte & (PDPTE_RESERVED | beyond) != 0
