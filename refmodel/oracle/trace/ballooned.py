"""How many pages of a VM are in its balloon: counted by stretches of pages that are alike, however large the VM is."""

from __future__ import annotations

from collections.abc import Iterator

from refmodel.monitor.p2m import Backing
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.tables import Known, Open

MOST_ASKED = 1 << 12
"""Pages of a stretch that are looked at one by one at most."""


def known_in_balloon(k: Knowledge, vm: int) -> tuple[int, bool]:
    """How many pages of a VM are known to be in its balloon, and whether others may be too. A page that is there is not."""
    p2m = k.tables["p2m"]
    alone = _told_alone(p2m, vm)
    number = sum(entry.backing == Backing.BALLOONED for (of, _), entry in p2m.items() if of == vm)
    opened = [key for key in p2m.opened if key[0] == vm and key not in p2m]
    others = not p2m.closed or not all(k.state.plugged.find(key) for key in opened)
    for piece in p2m.ranges.pieces.get(vm, ()) if p2m.ranges is not None else ():
        within = sum(piece.first <= gfn <= piece.last for gfn in alone)
        if piece.value is Open:
            others = others or not _are_plugged(k, vm, piece.first, piece.last, alone)
        elif piece.value.backing == Backing.BALLOONED:
            number += piece.last - piece.first + 1 - within
    return number, others


def _told_alone(table: Known, vm: int) -> set[int]:
    """The pages of which something is known, or unknown, by itself."""
    return {gfn for of, gfn in table if of == vm} | {gfn for of, gfn in table.opened if of == vm}


def _are_plugged(k: Knowledge, vm: int, first: int, last: int, alone: set[int]) -> bool:
    """Whether there is memory at all these pages, but for those that are looked at by themselves."""
    plugged = k.tables["plugged"]
    if any(first <= gfn <= last and gfn not in alone and not plugged.find((vm, gfn)) for gfn in _told_alone(plugged, vm)):
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
