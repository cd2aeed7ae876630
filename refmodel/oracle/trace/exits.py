"""What an exit lets happen, and which exits are for nothing.

A CPU that maps the page itself has served its exit: the access is tried again, and completes by that translation. An exit at a page
that another CPU has mapped, or that was mapped among others, is no fault of the monitor's: the CPU exited before, or went by a
cached translation with fewer rights.
"""

from __future__ import annotations

from refmodel.oracle.trace.events import Exit, Map
from refmodel.oracle.trace.knowledge import Knowledge

MOST_RANGES = 256
"""Ranges that are remembered to have been mapped. Of what was mapped before, any page may be."""


def mapped(k: Knowledge, event: Map) -> None:
    """A translation, or a leaf of several, is installed."""
    vm, cpu, first = event.vm, event.cpu, event.gfn
    pages = event.pages or (1 if event.bits is None else 4 * len(event.bits))
    k.maps += 1
    if pages == 1:
        k.mapped_by[vm, first] = k.maps, {cpu}
    else:
        k.ranges_mapped.pop((vm, first, pages), None)  # the last comes last
        k.ranges_mapped[vm, first, pages] = k.maps
        if len(k.ranges_mapped) > MOST_RANGES:
            k.range_forgotten = k.ranges_mapped.pop(next(iter(k.ranges_mapped)))
    if event.bits is None and (exited := k.emulated.get((vm, cpu))) is not None:
        gfn, write = exited
        if first <= gfn < first + pages and (event.writable or not write):
            del k.emulated[vm, cpu]
            k.mapped_by[vm, gfn] = k.maps, {cpu}


def may_be_late(k: Knowledge, event: Exit) -> bool:
    """Whether a page was mapped since this CPU exited there, and not by it. Now it has exited there."""
    key = vm, gfn = event.vm, event.gpa >> 12
    last, know = k.mapped_by.get(key, (0, set[int]()))
    among_others = max((when for (of, first, pages), when in k.ranges_mapped.items() if of == vm and first <= gfn < first + pages),
                       default=k.range_forgotten)
    if among_others > last:
        last, know = among_others, set()
    if not last or event.cpu in know:
        return False
    know.add(event.cpu)
    k.mapped_by[key] = last, know
    return True
