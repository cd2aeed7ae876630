"""The bits of a page-table entry of x86 that the guest's tables, the nested tables and page faults share.

(SDM Vol. 3A 4.5, tables 4-14 to 4-20; APM Vol. 2 5.4.)
"""

from __future__ import annotations

from refmodel.machine.words import PAGE

P, RW, US, A, D, PS, G, NX = 1 << 0, 1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 63
"""Present, read/write, user/supervisor, accessed, dirty, page size, global, no-execute (which Intel calls XD)."""

FRAME = (1 << 52) - PAGE
"""Bits 51:12 of an entry, of CR3 or of EPTP: the address of a frame, in bytes."""


def lacking(physical_bits: int) -> int:
    """The bits of an entry's address that a processor with this MAXPHYADDR (in bits, up to 52) does not have."""
    return (1 << 52) - (1 << physical_bits)
