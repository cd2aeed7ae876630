"""What an exit lets happen, and which exits are for nothing.

A CPU that maps the page itself has served its exit: the access is tried again, and completes by that translation. An exit at a page
that another CPU has mapped, or that was mapped among others, is no fault of the monitor's: the CPU exited before, or went by a
cached translation with fewer rights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import attrs

from refmodel.oracle.trace.events import Exit, Map, Unprotect
from refmodel.oracle.trace.ranges import Ranges

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge

MOST_RANGES = 256
"""Ranges that are remembered to have been mapped. Of what was mapped before, any page may be."""


class Mapped(NamedTuple):
    """A page was mapped: by which of the maps, whether writable, and the CPUs that know of it: it was theirs, or they have exited
    there since."""

    number: int
    writable: bool
    known_to: set[int]


@attrs.frozen
class Together:
    """Pages were mapped together, or stores to them allowed: after how many of the maps, and whether writable."""

    number: int
    writable: bool = False


class LastRanges:
    """The last few ranges that something was done to, and what was done last to each page of theirs: an exit asks that of one
    page."""

    def __init__(self) -> None:
        self.ranges: dict[tuple[int, int, int], Together] = {}
        """By VM, first page and number of pages; the last comes last."""
        self.by_page = Ranges()
        """Of the pages of these, what was done last."""

    def __len__(self) -> int:
        return len(self.ranges)

    def put(self, vm: int, first: int, pages: int, what: Together) -> Together | None:
        """This was done to a range. What was done to the one that is not remembered any more, if there is such."""
        self.ranges.pop((vm, first, pages), None)
        self.ranges[vm, first, pages] = what
        self.by_page.put(vm, first, first + pages - 1, what)
        return self._forget(next(iter(self.ranges))) if len(self.ranges) > MOST_RANGES else None

    def find(self, vm: int, gfn: int) -> Together | None:
        """What was done last to a page, among others."""
        piece = self.by_page.find(vm, gfn)
        found: Together | None = None if piece is None else piece.value
        return found

    def forget_vm(self, vm: int) -> None:
        for key in [key for key in self.ranges if key[0] == vm]:
            self._forget(key)

    def _forget(self, key: tuple[int, int, int]) -> Together:
        what, (vm, first, pages) = self.ranges.pop(key), key
        for piece in self.by_page.overlapping(vm, first, first + pages - 1):
            if piece.value == what:
                self.by_page.put(vm, piece.first, piece.last, None)
        return what


class Exited(NamedTuple):
    """An access exited, which the monitor may carry out: the page, whether it was a store, and the last map before it."""

    gfn: int
    write: bool
    maps: int


def exited(k: Knowledge, event: Exit) -> None:
    """An access has exited. Whoever handles the exit may carry it out."""
    k.emulated[event.vm, event.cpu] = Exited(event.gpa >> 12, event.write, k.maps)


def mapped(k: Knowledge, event: Map) -> None:
    """A translation, or a leaf of several, is installed."""
    vm, cpu, first = event.vm, event.cpu, event.gfn
    pages = event.pages or (1 if event.bits is None else 4 * len(event.bits))
    k.maps += 1
    if pages == 1:
        k.mapped_by.setdefault(vm, {})[first] = Mapped(k.maps, event.writable, {cpu})
    else:
        forgotten = k.ranges_mapped.put(vm, first, pages, Together(k.maps, event.writable and event.bits is None))
        k.range_forgotten = k.range_forgotten if forgotten is None else forgotten.number
    if event.bits is None and (exit_ := k.emulated.get((vm, cpu))) is not None:
        gfn, write, _ = exit_
        if first <= gfn < first + pages and (event.writable or not write):
            del k.emulated[vm, cpu]
            k.mapped_by.setdefault(vm, {})[gfn] = Mapped(k.maps, event.writable, {cpu})


def allowed(k: Knowledge, event: Unprotect) -> None:
    """Stores to pages are allowed. Whether their translations have the right by now is not told."""
    pages = event.pages or (1 if event.bits is None else 4 * len(event.bits))
    if pages == 1:
        k.allowed[event.vm, event.gfn] = k.maps
        return
    forgotten = k.ranges_allowed.put(event.vm, event.gfn, pages, Together(k.maps))
    k.allowed_forgotten = k.allowed_forgotten if forgotten is None else forgotten.number


def may_lack_the_right(k: Knowledge, vm: int, gfn: int) -> bool:
    """Whether stores to a page were allowed, or may have been forbidden, and it was not mapped since."""
    among_others = k.ranges_allowed.find(vm, gfn)
    last = max(k.allowed.get((vm, gfn), -1), k.allowed_forgotten, k.protected_untold.get(vm, -1))
    return max(last, -1 if among_others is None else among_others.number) >= _last(k, vm, gfn).number


def may_be_protected(k: Knowledge, vm: int, gfn: int) -> bool:
    """Whether stores to a page may have been forbidden since it was mapped, and nobody told to which pages they were."""
    return k.protected_untold.get(vm, -1) >= _last(k, vm, gfn).number


def _last(k: Knowledge, vm: int, gfn: int) -> Mapped:
    """The last map of a page. Of one that is not remembered it is not known whether it was writable."""
    last = k.mapped_by.get(vm, {}).get(gfn) or Mapped(0, False, set())
    among_others = k.ranges_mapped.find(vm, gfn) or Together(k.range_forgotten)
    return last if among_others.number <= last.number else Mapped(among_others.number, among_others.writable, set())


def may_be_late(k: Knowledge, event: Exit) -> bool:
    """Whether a page was mapped since this CPU exited there, and not by it. Now it has exited there."""
    vm, gfn = event.vm, event.gpa >> 12
    last = _last(k, vm, gfn)
    if not last.number or event.cpu in last.known_to:
        return False
    last.known_to.add(event.cpu)
    k.mapped_by.setdefault(vm, {})[gfn] = last
    return True


def may_have_come_before(k: Knowledge, event: Exit) -> None:
    """An exit may have happened before another CPU's map of the page: then the next exit there may still be late."""
    _last(k, event.vm, event.gpa >> 12).known_to.discard(event.cpu)


def may_carry_out(k: Knowledge, vm: int, cpu: int, gfn: int, write: bool) -> bool:
    """Whether the monitor may carry an access out itself: it exited, at the page or at another that it goes across. Where exits are
    not told, any may have."""
    exit_ = k.emulated.get((vm, cpu))
    if "exit" in k.silent or exit_ is None:
        return "exit" in k.silent
    return (exit_.gfn == gfn or {exit_.gfn, gfn} <= k.across) and (exit_.write or not write)


def carried_out(k: Knowledge, vm: int, cpu: int, gfns: Iterable[int]) -> None:
    """The monitor may have carried out an access to these pages. What it writes it may have read before. Once another CPU has
    mapped one of the pages, this was the last access that may be the one that exited."""
    exit_ = k.emulated.get((vm, cpu))
    if exit_ is None:
        return
    for last in (_last(k, vm, gfn) for gfn in gfns):
        if last.number > exit_.maps and (last.writable or not exit_.write):
            k.emulated.pop((vm, cpu), None)
