"""The walk of the nested page tables (NPT) of AMD's SVM: guest-physical to physical, bit for bit.

Nested tables have the format of ordinary ones and are walked by the same text, with the host's registers, as a user's access.
(APM Vol. 2 15.25 *nested paging*, mainly 15.25.5 *nested table walk* and 15.25.6 *nested versus guest page faults, fault
ordering*.)

A guest-physical address is no linear one: it is not sign-extended, and need not be canonical. Nested tables of 4 levels
translate 48 bits of it, bit 47 like the others, and tables of 5 levels translate 57, more than the 52 that a physical address
may have. Linux relies on it: KVM gives guests 48 bits of guest-physical addresses under nested tables of 4 levels
(arch/x86/kvm/cpuid.c, GuestPhysAddrSize), and put state of SEV-ES guests at 0xfffffffff000.
"""

from __future__ import annotations

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Translation, WalkMemory, Word
from refmodel.machine.x86.guest_walk import Access, Cpu, PageFault, reason, walk_tables

EXIT_NPF = 0x400
"""VMEXIT_NPF (APM Vol. 2 appendix C)."""
FINAL_ADDRESS, TABLE_ADDRESS = 1 << 32, 1 << 33
"""Bits of EXITINFO1: the fault was in translating the guest's final physical address, or that of one of its tables."""


@attrs.frozen
class NestedPageFault(Fault):
    """A #VMEXIT(NPF): EXITINFO2, the guest-physical address in bytes, and EXITINFO1, the nested page fault's code."""

    gpa: Word
    code: Word


def npt_walk(memory: WalkMemory, host: Cpu, gpa: Word, write: bool, fetch: bool, stage: Word) -> Translation:
    """The physical address that a guest-physical address stands for. Raises ``NestedPageFault``.

    ``host`` is the host's state at VMRUN, with nCR3 as its CR3: its EFER.NXE and its levels count, the guest's do not. An
    address beyond what the tables' levels reach is treated as one that is not mapped.
    """
    access = Access(user=True, write=write, fetch=fetch)
    if gpa >> (12 + 9 * host.levels):
        raise NestedPageFault(gpa, reason(host, access) | stage)
    try:
        return walk_tables(memory, host, gpa, access)
    except PageFault as fault:
        raise NestedPageFault(gpa, fault.code | stage) from None
