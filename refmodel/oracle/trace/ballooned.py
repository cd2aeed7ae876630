"""How many pages of a VM are in its balloon: counted by stretches of pages that are alike, however large the VM is, and kept in
step with what single pages become, however often it is asked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Set
from typing import TYPE_CHECKING, NamedTuple

import attrs

from refmodel.monitor.p2m import Backing
from refmodel.oracle.trace.events import LAST_GFN
from refmodel.oracle.trace.tables import Key, Known, Open

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge

MOST_ASKED = 1 << 12
"""Pages of a stretch that are looked at one by one at most."""
LOOKED_AT = frozenset({"p2m", "plugged"})
"""The tables that a count looks at."""


class Counted(NamedTuple):
    """Whether a page is known to be in the balloon, and whether it may be, since nothing is known of it."""

    is_there: bool
    may_be: bool


@attrs.define
class Balloon:
    """What was counted of a VM's balloon, as long as pieces say the same."""

    number: int
    """Pages that are known to be there."""
    others: bool
    """Whether others may be, of those that are kept in pieces or of which nothing was said."""
    alone: dict[int, Counted]
    """The pages of which something is known, or unknown, by itself."""
    unknown: int = 0
    """How many of these may be there."""

    def count(self, k: Knowledge, key: Key) -> None:
        """Something may have become of a page."""
        was, now = self.alone.get(key[1]) or Counted(_is_in_a_piece(k.tables["p2m"], key), False), _counted(k, key)
        self.alone[key[1]] = now
        self.number += now.is_there - was.is_there
        self.unknown += now.may_be - was.may_be


def known_in_balloon(k: Knowledge, vm: int) -> tuple[int, bool]:
    """How many pages of a VM are known to be in its balloon, and whether others may be too. A page that is there is not."""
    found = k.balloons.get(vm)
    if found is None:
        found = _balloon(k, vm)
        if not (found.others and k.tables["p2m"].closed):  # whether others may be is found out anew
            k.balloons[vm] = found
    return found.number, found.others or found.unknown > 0


def become_other(k: Knowledge, pages: Iterable[Key]) -> None:
    """Something may have become of pages."""
    for key in pages:
        found = k.balloons.get(key[0])
        if found is not None:
            found.count(k, key)


def _balloon(k: Knowledge, vm: int) -> Balloon:
    p2m = k.tables["p2m"]
    alone = {gfn: _counted(k, (vm, gfn)) for gfn in _told_alone(k, p2m, vm)}
    number, others, gfns = sum(page.is_there for page in alone.values()), not p2m.closed, sorted(alone)
    for piece in p2m.ranges.pieces.get(vm, ()) if p2m.ranges is not None else ():
        if piece.value is Open:
            others = others or not _are_plugged(k, vm, piece.first, piece.last, alone.keys())
        elif piece.value.backing == Backing.BALLOONED:
            within = bisect_right(gfns, piece.last) - bisect_left(gfns, piece.first)
            number += piece.last - piece.first + 1 - within
    return Balloon(number, others, alone, sum(page.may_be for page in alone.values()))


def _counted(k: Knowledge, key: Key) -> Counted:
    entry = k.backing(key)
    return Counted(entry is not None and entry.backing == Backing.BALLOONED, entry is None and not k.state.plugged.find(key))


def _is_in_a_piece(p2m: Known, key: Key) -> bool:
    """Whether a page was in the balloon by what is known of many, before anything was known of it by itself."""
    piece = None if p2m.ranges is None else p2m.ranges.find(*key)
    return piece is not None and piece.value is not Open and bool(piece.value.backing == Backing.BALLOONED)


def _told_alone(k: Knowledge, table: Known, vm: int) -> set[int]:
    """The pages of which something is known, or unknown, by itself."""
    gfns = k.mentioned_pages.within(vm, 0, LAST_GFN)
    return {gfn for gfn in gfns if (vm, gfn) in table or (vm, gfn) in table.opened}


def _are_plugged(k: Knowledge, vm: int, first: int, last: int, alone: Set[int]) -> bool:
    """Whether there is memory at all these pages, but for those that are looked at by themselves."""
    plugged = k.tables["plugged"]
    if any(first <= gfn <= last and gfn not in alone and not plugged.find((vm, gfn)) for gfn in _told_alone(k, plugged, vm)):
        return False
    for start, end in _without_memory(plugged, vm, first, last):
        if end - start >= MOST_ASKED or not all(gfn in alone or plugged.find((vm, gfn)) for gfn in range(start, end + 1)):
            return False
    return True


def _without_memory(plugged: Known, vm: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The stretches of which it is not known as a whole that there is memory."""
    at = first
    for piece in plugged.ranges.overlapping(vm, first, last) if plugged.ranges is not None else ():
        if piece.value is not Open and piece.value:
            if at < piece.first:
                yield at, piece.first - 1
            at = piece.last + 1
    if at <= last:
        yield at, last
