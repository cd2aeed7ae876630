"""The walk of the nested page tables (NPT) of AMD's SVM: guest-physical to physical, bit for bit.

Nested tables have the format of ordinary ones and are walked by the same text, with the host's registers, as a user's access.
(APM Vol. 2 15.25 *nested paging*, mainly 15.25.5 *nested table walk* and 15.25.6 *nested versus guest page faults, fault
ordering*.)
"""

from __future__ import annotations

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.guest_walk import Access, Cpu, NotCanonical, PageFault, walk
from refmodel.machine.words import Memory, Translation, Word

EXIT_NPF = 0x400
"""VMEXIT_NPF (APM Vol. 2 appendix C)."""
FINAL_ADDRESS, TABLE_ADDRESS = 1 << 32, 1 << 33
"""Bits of EXITINFO1: the fault was in translating the guest's final physical address, or that of one of its tables."""


@attrs.frozen
class NestedPageFault(Fault):
    """A #VMEXIT(NPF): EXITINFO2, the guest-physical address in bytes, and EXITINFO1, the nested page fault's code."""

    gpa: Word
    code: Word


def npt_walk(memory: Memory, host: Cpu, gpa: Word, write: bool, fetch: bool, stage: Word) -> Translation:
    """The physical address that a guest-physical address stands for. Raises ``NestedPageFault``.

    ``host`` is the host's state at VMRUN, with nCR3 as its CR3: its EFER.NXE and its levels count, the guest's do not.
    """
    try:
        return walk(memory, host, gpa, Access(user=True, write=write, fetch=fetch))
    except PageFault as fault:
        raise NestedPageFault(gpa, fault.code | stage) from None
    except NotCanonical:  # more bits than the host's tables translate
        raise NestedPageFault(gpa, stage) from None
