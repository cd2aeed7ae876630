"""The bits of a RISC-V page-table entry, and what a translation gives.

(Privileged Architecture, Sv32, Sv39, Sv48 and Sv57: *Addressing and Memory Protection*; Svnapot; Svpbmt.)
"""

from __future__ import annotations

from typing import NamedTuple

from refmodel.machine.words import Word

V, R, W, X, U, G, A, D = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7
"""Valid, readable, writable, executable, user, global, accessed, dirty."""
PPN = (1 << 54) - (1 << 10)
"""Bits 53:10 of an entry: bits 55:12 of an address. (Sv32 has bits 31:10 only: bits 33:12 of an address.)"""
RESERVED = (1 << 61) - (1 << 54)
"""Bits 60:54, which no ratified extension but Svrsw60t59b uses (``norm:Sv39_pte_future_rsv``)."""
SOFTWARE = 1 << 60 | 1 << 59
"""Those of the reserved bits that Svrsw60t59b leaves to software."""
PBMT, NC, IO = 3 << 61, 1 << 61, 2 << 61
"""The memory type of a page: non-cacheable memory, or I/O. 0 gives none, and 3 is reserved (Svpbmt, table *Encodings for PBMT*)."""
N = 1 << 63
"""This entry is one of 16 that map 64 KiB together (Svnapot)."""


class Translation(NamedTuple):
    """Where a walk of one stage led. Unlike on x86, the rights of a page are those of its leaf alone."""

    physical: Word
    """The address that the stage gives, in bytes: of the VS-stage a guest-physical one, 56 bits (34 under Sv32)."""
    level: int
    """That of the leaf: 1 for 4 KiB; the manual's *i* plus one. 0 where the stage is Bare, and there is no leaf."""
    entry: Word
    """The leaf, as it was read."""
    every: Word
    """The entries used, or-ed: a mapping is global if G is here (Sv32, *Addressing and Memory Protection*)."""
