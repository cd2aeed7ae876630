"""What would have been lawful instead of an event: the same with a field changed, or the same after one more.

Nothing here knows of any defect: candidates are made of what the event names, and the laws say which would do.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import guest, reaching
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.tables import Journal, Key

MOST = 4
"""Suggestions."""


def lawful_instead(k: Knowledge, event: e.Event) -> list[str]:
    """In words, the simplest first."""
    if type(event) in (e.Header, e.Gap, e.Abort, e.Registers, e.Invlpg, e.Invpcid, e.Linear):
        return []
    found = [words for words, other in changed(k, event) if lawful_after(k, (), other)]
    enough: list[tuple[e.Event, ...]] = []
    for step in missing(k, event):
        if len(found) >= MOST:
            break
        if any(all(each in step for each in less) for less in enough):
            continue  # less would do
        if lawful_after(k, step, event):
            enough.append(step)
            found.append(f"the same event after {' and '.join(map(told, step))}")
    return found or [f"no {event.__struct_config__.tag} here"]


def changed(k: Knowledge, event: e.Event) -> Iterator[tuple[str, e.Event]]:
    """Events that differ from this one in one field, each with words for it."""
    if getattr(event, "writable", False):
        yield "the same, not writable", msgspec.structs.replace(event, writable=False)
    entry = k.backing((event.vm, event.gfn)) if isinstance(event, e.Page) else None
    if isinstance(event, e.Map | e.Entry | e.Backed) and entry is not None and entry.resident and entry.mfn != event.mfn:
        yield f"the same with mfn {entry.mfn}", msgspec.structs.replace(event, mfn=entry.mfn)


def missing(k: Knowledge, event: e.Event) -> Iterator[tuple[e.Event, ...]]:
    """What may not have been done, or not have been told, before."""
    for vm, gfn in pages_of(k, event):
        flush = (e.FlushBegin(vm=vm), e.FlushEnd(vm=vm)) if k.flushes_told else ()
        yield (e.Mark(vm=vm, gfn=gfn),)
        yield (e.Unprotect(vm=vm, gfn=gfn),)
        yield (e.WriteBack(vm=vm, gfn=gfn, slot=1 + max(k.tables["slots"], default=0)),)
        if flush:
            yield flush
        yield (e.Protect(vm=vm, gfn=gfn), *flush)
        yield (e.Unmap(vm=vm, gfn=gfn), *flush)
        yield (e.Break(vm=vm, gfn=gfn, mfn=_another_frame(k)),)
    if isinstance(event, e.Share):
        yield from missing_before_sharing(k, event)


def _another_frame(k: Knowledge) -> int:
    """A frame of which nothing was said."""
    frames = k.tables["frames"]
    pieces = [] if frames.ranges is None else frames.ranges.pieces.get(0, [])
    return 1 + max([*frames, *(piece.last for piece in pieces)], default=0)


def missing_before_sharing(k: Knowledge, event: e.Share) -> Iterator[tuple[e.Event, ...]]:
    """One page keeps its frame, and the other goes to it."""
    one, other = (event.vm, event.gfn), (event.with_vm, event.with_gfn)
    for (vm, gfn), (v, g) in ((one, other), (other, one)):
        flushes = [step for each in {vm, v} for step in (e.FlushBegin(vm=each), e.FlushEnd(vm=each))] if k.flushes_told else []
        yield (e.Protect(vm=vm, gfn=gfn), e.Unmap(vm=v, gfn=g), *flushes)


def pages_of(k: Knowledge, event: e.Event) -> list[Key]:
    """The pages that an event names, or whose frame it names."""
    pages: list[Key] = [(event.vm, event.gfn)] if isinstance(event, e.Page) else []
    if isinstance(event, e.Load | e.Store):
        pages.append((event.vm, event.gpa >> 12))
    if isinstance(event, e.Share):
        pages.append((event.with_vm, event.with_gfn))
    mfn = getattr(event, "mfn", None)
    if mfn is not None:
        pages += sorted(reaching.pages_of(k, mfn).difference(pages))[:MOST]
    return pages


def lawful_after(k: Knowledge, steps: tuple[e.Event, ...], event: e.Event) -> bool:
    """Whether these events are lawful now, and this one after them. Nothing has changed afterwards."""
    beside, undone, contents = k.beside_the_journal(), Journal(), contents_of(k, event)
    try:
        for step in steps:
            k.journal.clear()  # not every event does: nothing is to be undone twice
            k.effect(step)
            undone.go_on_with(k.journal)
        return k.try_out(event)
    except (Deviates, Inconsistent):
        return False
    finally:
        k.journal.clear()
        k.journal.go_on_with(undone)
        k.undo()
        k.flushed, k.paused = beside
        for page, before in contents:
            page.become(before)


def contents_of(k: Knowledge, event: e.Event) -> list[tuple[Contents, Contents]]:
    """What is known of the pages that an event is about, each with a copy: most stores change it in place, which nothing undoes."""
    pages = set(pages_of(k, event))
    if isinstance(event, e.Load | e.Store):
        pages.add((event.vm, event.gpa + event.size - 1 >> 12))
    found = []
    for key in pages:
        of_page = k.pages.get(guest.reached(k, *key))
        entry = k.backing(key)
        of_frame = k.tables["memory"].get(entry.mfn) if entry is not None and entry.resident else None
        found += [(each, each.copy()) for each in (of_page, of_frame) if each is not None]
    return found


def told(event: e.Event) -> str:
    """An event in words."""
    where = f" of vm {event.vm}, gfn {event.gfn:#x}" if isinstance(event, e.Page) else f" of vm {event.vm}"
    return f"{event.__struct_config__.tag}{where}"
