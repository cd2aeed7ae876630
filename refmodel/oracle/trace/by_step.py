"""Which events are judged by steps, and what tells those of one kind from each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import exits, guest, reaching, stretches
from refmodel.oracle.trace.effects import logging, mechanisms, memory, translations
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.steps import taken
from refmodel.oracle.trace.tables import Key

JUDGES: dict[type[e.Event], Callable[[Knowledge, Any], None]] = {
    e.Unmap: translations.unmap,
    e.Protect: translations.protect,
    e.Unprotect: translations.unprotect,
    e.Track: translations.track,
    e.Untrack: translations.untrack,
    e.Mark: logging.mark,
    e.TakeMark: logging.take_mark,
    e.Send: logging.send,
}
"""Events about one page, which have no other fields."""


def one_page(k: Knowledge, event: Any) -> None:
    """Judge an event of one of these kinds."""
    kind: Any = type(event)
    key = event.vm, event.gfn
    if kind is e.Send and key not in k.pages:
        k.page(*key)
    if kind in (e.Mark, e.TakeMark):
        k.logged.add(event.vm)
    taken(k, key, kind, JUDGES[kind], event)
    if kind is e.Unprotect:
        exits.allowed(k, event)


def mapped(k: Knowledge, event: e.Map) -> None:
    """Judge a translation of one page."""
    if event.vm not in k.mapping or event.level != 1:
        translations.map_(k, event)
        return
    exits.mapped(k, event)
    key = event.vm, event.gfn
    place = k.alike.get(key)
    if place is not None and event.mfn in place.frames:
        taken(k, key, (event.writable, event.execute, place.frames.index(event.mfn)), translations.map_, event)
    else:
        taken(k, key, (e.Map, event.writable, event.execute), translations.map_, event, (event.mfn,))


def exited(k: Knowledge, event: e.Exit) -> None:
    """Judge an exit."""
    key = event.vm, event.gpa >> 12
    derived = k.tables["derived"].told(key)
    if derived is not None and derived.present:  # which CPUs know of it decides
        guest.exit_(k, event)
        return
    exits.exited(k, event)
    taken(k, key, (e.Exit, event.write, event.fetch), guest.exit_, event)


def filled(k: Knowledge, event: e.Fill) -> None:
    """Judge contents that arrive in one page."""
    if event.source == "userfaultfd":  # what the page held decides
        memory.fill(k, event)
        return
    key, kind = (event.vm, event.gfn), (e.Fill, event.zero, event.mfn is None)
    taken(k, key, kind, memory.fill, event, () if event.mfn is None else (event.mfn,))


def reported(k: Knowledge, event: e.Report) -> None:
    """Judge the report of one page as free."""
    key: Key = event.vm, event.gfn
    page = k.page(*key)
    taken(k, key, (e.Report, page.zeroed and not page.words), memory.report, event)


def inflated(k: Knowledge, event: e.Inflate) -> None:
    """Judge a page that goes to the balloon."""
    if event.touchable:
        mechanisms.inflate(k, event)
    else:
        k.untouchable.add(event.vm)
        taken(k, (event.vm, event.gfn), e.Inflate, mechanisms.inflate, event)


def deflated(k: Knowledge, event: e.Deflate) -> None:
    """Judge a page that comes back from the balloon."""
    if event.vm in k.touchable or event.vm not in k.untouchable:
        mechanisms.deflate(k, event)
    else:
        named = () if event.mfn is None else (event.mfn,)
        taken(k, (event.vm, event.gfn), (e.Deflate, event.kept, bool(named)), mechanisms.deflate, event, named)


def populated(k: Knowledge, event: e.Populate) -> None:
    """Judge a page that a VM is given."""
    k.page(event.vm, event.gfn)
    k.is_populated(event.vm)
    taken(k, (event.vm, event.gfn), e.Populate, memory.populate, event, (event.mfn,))


def broken(k: Knowledge, event: e.Break) -> None:
    """Judge a page that gets a frame of its own."""
    if event.mfn is not None:
        k.page(event.vm, event.gfn)
    named = () if event.mfn is None else (event.mfn,)
    taken(k, (event.vm, event.gfn), (e.Break, bool(named)), mechanisms.break_, event, named)


def promised(k: Knowledge, event: e.Promise) -> None:
    """Judge a page that is promised."""
    page = k.page(event.vm, event.gfn)
    if page.words or not page.zeroed:  # what the page held decides
        memory.promise(k, event)
        return
    taken(k, (event.vm, event.gfn), e.Promise, memory.promise, event)


def dma_mapped(k: Knowledge, event: e.DmaMap) -> None:
    """Judge what the IOMMU maps."""
    if event.vm not in k.dma_mapping:
        translations.dma_map(k, event)
    else:
        taken(k, (event.vm, event.gfn), (e.DmaMap, event.writable), translations.dma_map, event, (event.mfn,))


def dma_unmapped(k: Knowledge, event: e.DmaUnmap) -> None:
    """Judge what the IOMMU maps no longer."""
    if event.vm not in k.dma_mapping:
        translations.dma_unmap(k, event)
    else:
        taken(k, (event.vm, event.gfn), e.DmaUnmap, translations.dma_unmap, event)


def moved(k: Knowledge, event: e.Move) -> None:
    """Judge a page that goes to another frame."""
    pages = list(reaching.pages_of(k, event.mfn))
    if event.pages == 1 and len(pages) == 1 and event.mfn != event.to_mfn:
        taken(k, pages[0], e.Move, memory.move, event, (event.mfn, event.to_mfn))
    else:
        memory.move(k, event)


STEPS: dict[type[e.Event], Callable[[Knowledge, Any], None]] = {
    **dict.fromkeys(JUDGES, one_page),
    e.Map: mapped,
    e.Exit: exited,
    e.Fill: filled,
    e.Report: reported,
    e.Inflate: inflated,
    e.Deflate: deflated,
    e.Populate: populated,
    e.Break: broken,
    e.Promise: promised,
    e.DmaMap: dma_mapped,
    e.DmaUnmap: dma_unmapped,
    e.Move: moved,
}
"""By kind: how one is judged by steps."""
OF_PAGES = frozenset(kind for kind in STEPS if issubclass(kind, e.Pages))


FEW = 16
"""Pages in a row that are judged one by one."""
BREAK_NOTHING = frozenset({e.Mark, e.TakeMark, e.Protect})
"""Kinds of events that break no law, so that an event about many pages need not be undone."""


def scattered(k: Knowledge, event: Any) -> None:
    """Judge an event about pages that its bits name: a few in a row by steps, and more of them together."""
    stretches.there_are_such(event)
    for first, last in event.runs():
        if last - first < FEW:
            for gfn in range(first, last + 1):
                one_page(k, msgspec.structs.replace(event, gfn=gfn, bits=None))
        else:
            k.effect(msgspec.structs.replace(event, gfn=first, pages=last - first + 1, bits=None))


def judge(k: Knowledge, event: Any) -> None:
    """Hold any event against what is known, by steps where that can be; raises ``Deviates`` or ``Inconsistent``."""
    kind = type(event)
    by_step = STEPS.get(kind)
    if (
        by_step is not None
        and k.by_step
        and (kind not in OF_PAGES or (event.bits is None and (event.pages is None or event.pages == 1)))
    ):
        by_step(k, event)
    elif k.by_step and kind in BREAK_NOTHING and event.bits is not None:
        scattered(k, event)
    else:
        k.effect(event)
