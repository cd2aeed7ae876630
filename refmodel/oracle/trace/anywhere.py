"""What an access may have done of which it is not known where it went: it may have stored to one of several pages, or to any page
of its VM, and set flags in tables wherever these may lie.

The word that it may have stored to is the old one or the new one, so only bits in which these differ become unknown.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from refmodel.machine.x86.words import A, D, P
from refmodel.oracle.trace import guest
from refmodel.oracle.trace.changes import copy_is_good_no_more
from refmodel.oracle.trace.contents import FULL, Reported
from refmodel.oracle.trace.events import Linear
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.tables import Key, Open

FLAGS = A | D
"""Bits of an entry that say neither where it leads nor with what rights."""
FEW = 512
"""Pages that are alike of which each is then kept by itself. Of more of them nothing is known any more."""
MOST_LOOKED_AT = 1_000_000
"""Pages that are looked at, all accesses together. After more of them nothing is known any more of what the VM's memory holds."""


def stored(k: Knowledge, event: Linear, places: Iterable[int]) -> None:
    """The access has stored at one of these guest-physical addresses."""
    assert isinstance(event.value, int)
    for physical in places:
        for at, offset, bits, mask in guest.pieces(event.vm, physical, event.value, event.size):
            _may_be_stored(k, guest.reached(k, *at), offset, bits, mask)


def went_anywhere(k: Knowledge, event: Linear, levels: int) -> None:
    """A walk of so many levels has gone through entries that are not known, and ended as the event says."""
    stores = event.kind == "store" and event.fault is UNSET and not event.gp
    flags = FLAGS if stores else A
    words: list[tuple[Key, int, int, int]] = []
    if stores and isinstance(event.value, int):
        words = [*guest.pieces(0, event.gva & 0xFFF, event.value, event.size)]
    keys = _pages(k, event.vm) | (_zeroes(k, event.vm) if any(bits for _, _, bits, _ in words) else set())
    if not _may_be_looked_at(k, event.vm, keys):
        return
    offsets = [(event.gva >> 3 + 9 * level & 0x1FF) << 3 for level in range(1, levels + 1)]
    for key in keys:
        for offset in offsets:
            bits, known = k.page(*key).bits(offset)
            if bits & P or not known & P:
                _doubt(k, key, offset, flags & ~bits)
        for _, offset, bits, mask in words:
            _may_be_stored(k, key, offset, bits, mask)


def _pages(k: Knowledge, vm: int) -> set[Key]:
    """The pages of which something is known that a VM's accesses may reach: its own, and those that it borrows."""
    borrowed = {(grant.vm, grant.gfn) for key, grant in k.tables["grants"].items() if key[0] == vm and grant.present}
    return {key for key in k.pages if key[0] == vm} | borrowed


def _zeroes(k: Knowledge, vm: int) -> set[Key]:
    """The pages that were said to hold zeroes together, if they are few; of many nothing is known from now on."""
    assert k.pages.ranges is not None
    found: set[Key] = set()
    for piece in k.pages.ranges.overlapping(vm, 0, 1 << 52):
        if piece.value is True and piece.last - piece.first < FEW:
            found |= {(vm, gfn) for gfn in range(piece.first, piece.last + 1)}
        elif piece.value is True:
            k.pages.put_range(vm, piece.first, piece.last, Open)
        elif piece.value is Reported.ZEROES:
            k.pages.put_range(vm, piece.first, piece.last, Reported.UNKNOWN)
    return found


def _may_be_looked_at(k: Knowledge, vm: int, keys: set[Key]) -> bool:
    """Whether so many pages are looked at one by one; if not, nothing is known of them from now on."""
    k.looked_at += len(keys)
    if k.looked_at <= MOST_LOOKED_AT:
        return True
    k.looked_at = 0
    for key in keys:
        pages = guest.held(k, key)
        for page in pages:
            if page.either is None:
                page.forget(0, 4096)
            page.doubt_whole()
        if key[0] == vm and all(page.either is None for page in pages):
            dict.pop(k.pages, key, None)
    _zeroes(k, vm)
    return False


def _may_be_stored(k: Knowledge, key: Key, offset: int, bits: int, mask: int) -> None:
    """A page may have been stored to. A page that its guest had called free may be so no longer, so nothing is known of it."""
    copy_is_good_no_more(k, key)
    for page in guest.held(k, key):
        page.doubt_whole()
    had, _ = k.page(*key).bits(offset)
    _doubt(k, key, offset, (had ^ bits) & mask)


def _doubt(k: Knowledge, key: Key, offset: int, mask: int) -> None:
    """Some bits of a page are not known any more. If the page is a table, it may be remembered as it was."""
    old = k.page(*key).bits(offset)
    if not mask & old[1]:
        return
    if mask & old[1] & ~FLAGS and key in k.table_pages:
        k.store_to_table(k, key, offset, 0, 0)
    for page in guest.held(k, key):
        page.doubt(offset, mask)


def is_entry(known: int) -> bool:
    """Whether so many bits of an entry say where it leads and with what rights."""
    return known | FLAGS == FULL
