"""Page-table entries as records: what each bit of the 64 says, and back.

The walks work on words, since that is what memory holds; records are what a person reads, and what the other stratum's cells
are. That the two say the same is proved in proofs/x86/entries.py. (SDM Vol. 3A tables 4-14 to 4-20, Vol. 3C tables 28-1 to 28-6.)
"""

from __future__ import annotations

import attrs

from refmodel.machine.cells import Cell
from refmodel.machine.words import Word
from refmodel.machine.x86.ept_walk import EPT_A, EPT_D, XU, R, W, X
from refmodel.machine.x86.words import FRAME, NX, PS, RW, US, A, D, G, P

PWT, PCD = 1 << 3, 1 << 4
IGNORED = 0b111 << 9 | 0x7F << 52
"""Bits 11:9 and 58:52 of a guest's entry: the processor ignores them, software may use them."""
EPT_IGNORED = 1 << 11 | 0xFFF << 52
"""Bits 11 and 63:52 of an EPT entry, without the features that give some of them a meaning."""


@attrs.frozen
class Entry:
    """A guest's entry, of any level."""

    present: bool
    writable: bool
    user: bool
    write_through: bool
    cache_disabled: bool
    accessed: bool
    dirty: bool
    page_size: bool
    """Bit 7: at levels 2 and 3 this entry maps a page; at level 1 it is PAT."""
    global_page: bool
    frame: Word
    """Bits 51:12, in place: the address of a table or page in bytes. Of a large page the lower bits are PAT and reserved ones."""
    key: Word
    """The protection key, 4 bits."""
    no_execute: bool


def decode(word: Word) -> Entry:
    """The record of an entry; ignored bits are lost."""
    return Entry(
        present=word & P != 0,
        writable=word & RW != 0,
        user=word & US != 0,
        write_through=word & PWT != 0,
        cache_disabled=word & PCD != 0,
        accessed=word & A != 0,
        dirty=word & D != 0,
        page_size=word & PS != 0,
        global_page=word & G != 0,
        frame=word & FRAME,
        key=word >> 59 & 0xF,
        no_execute=word & NX != 0,
    )


def given(flag: bool, bit: Word) -> Word:
    """A bit of an entry, set if a record says so."""
    return bit if flag else 0


def encode(entry: Entry) -> Word:
    """The entry of a record, ignored bits zero."""
    word = entry.frame | entry.key << 59
    word |= given(entry.present, P)
    word |= given(entry.writable, RW)
    word |= given(entry.user, US)
    word |= given(entry.write_through, PWT)
    word |= given(entry.cache_disabled, PCD)
    word |= given(entry.accessed, A)
    word |= given(entry.dirty, D)
    word |= given(entry.page_size, PS)
    word |= given(entry.global_page, G)
    word |= given(entry.no_execute, NX)
    return word


def cell_of(entry: Entry) -> Cell:
    """What the entry-level stratum sees of a guest's entry that maps 4 KiB: the frame stands for its name."""
    return Cell(entry.present, entry.writable, not entry.no_execute, entry.frame, entry.user, entry.accessed, entry.dirty)


@attrs.frozen
class EptEntry:
    """An EPT entry, of any level."""

    readable: bool
    writable: bool
    executable: bool
    memory_type: Word
    """3 bits, of a leaf."""
    ignore_pat: bool
    page_size: bool
    accessed: bool
    dirty: bool
    user_executable: bool
    frame: Word


def decode_ept(word: Word) -> EptEntry:
    """The record of an EPT entry; ignored bits are lost."""
    return EptEntry(
        readable=word & R != 0,
        writable=word & W != 0,
        executable=word & X != 0,
        memory_type=word >> 3 & 7,
        ignore_pat=word & 1 << 6 != 0,
        page_size=word & PS != 0,
        accessed=word & EPT_A != 0,
        dirty=word & EPT_D != 0,
        user_executable=word & XU != 0,
        frame=word & FRAME,
    )


def encode_ept(entry: EptEntry) -> Word:
    """The EPT entry of a record, ignored bits zero."""
    word = entry.frame | entry.memory_type << 3
    word |= given(entry.readable, R)
    word |= given(entry.writable, W)
    word |= given(entry.executable, X)
    word |= given(entry.ignore_pat, 1 << 6)
    word |= given(entry.page_size, PS)
    word |= given(entry.accessed, EPT_A)
    word |= given(entry.dirty, EPT_D)
    word |= given(entry.user_executable, XU)
    return word
