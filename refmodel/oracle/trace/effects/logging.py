"""The dirty log, and what is sent by it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import attrs

from refmodel.laws import memory
from refmodel.monitor.dirty_logging import Sent
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import guest, reaching
from refmodel.oracle.trace.changes import about, rest
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.effects.translations import protect
from refmodel.oracle.trace.knowledge import About, Knowledge, deviates
from refmodel.oracle.trace.observed import MarkTold
from refmodel.oracle.trace.shapes import as_kept
from refmodel.oracle.trace.silence import unless_silent
from refmodel.oracle.trace.stretches import stretch, together
from refmodel.oracle.trace.tables import Key, Nowhere, Open

LOGGING = frozenset({"send", "mark", "take_mark", "ring_push", "ring_harvest", "cancelled"})
"""The kinds of events that say which pages are marked, and which were sent."""
MARKING = frozenset({"mark", "ring_push", "cancelled"})
"""The kinds of events by which a page is marked."""


def mark(k: Knowledge, event: e.Mark) -> None:
    k.logged.add(event.vm)
    _mark(k, guest.of_its_vm(k, (event.vm, event.gfn)))


def _mark(k: Knowledge, key: Key) -> None:
    k.late.discard(key)
    with k.judging(about(k, key)):
        k.state.mark(*key)
        k.state.marks_told[key] = MarkTold.MARKED


def _by_step(k: Knowledge, key: Key, kind: type[e.Pages], judge: Callable[[Knowledge, Any], None]) -> None:
    """What is done to a page as by an event of this kind."""
    event = kind(vm=key[0], gfn=key[1])
    if k.by_step:
        k.taken(key, kind, judge, event)
    else:
        judge(k, event)


def take_mark(k: Knowledge, event: e.TakeMark) -> None:
    k.logged.add(event.vm)
    _take_mark(k, guest.of_its_vm(k, (event.vm, event.gfn)))


def _take_mark(k: Knowledge, key: Key) -> None:
    with k.judging(about(k, key)):
        k.state.sent[key] = Sent.TAKEN
        k.state.marks_told[key] = MarkTold.MARKED


def send(k: Knowledge, event: e.Send) -> None:
    """What a device may write to goes on being written to: it is on its way until the VM is stopped. So is a page that is sent
    while the VM is paused, of which the mark was taken, and that nobody has write-protected."""
    key = guest.of_its_vm(k, (event.vm, event.gfn))
    if k.state.plugged.find(key) is False:
        return  # the range that is sent has a page that is no memory now, as in the balloon: nothing is copied
    with k.judging(about(k, key)):
        k.state.destination[key] = k.page(*key).copy()
        if k.backing(key) is not None:
            rest(k, key)
        if k.may_be_paused(key[0]):  # nobody stores to it any more: what was written before is sent with it
            k.late.discard(key)
        if k.state.sent.find(key) not in (None, Sent.MARKED):
            by_devices = reaching.devices_may_write(k, key) or reaching.devices_may_write_untold(k, key)
            k.state.sent[key] = Sent.TAKEN if by_devices or _is_paused_unwatched(k, key) else Sent.THERE
        elif k.state.marks_told.find(key) == MarkTold.NOTHING:
            k.state.marks_told[key] = MarkTold.SENT


def _is_paused_unwatched(k: Knowledge, key: Key) -> bool:
    """Whether a page may be sent as it is, although its VM's processors could write to it if they ran."""
    if not k.may_be_paused(key[0]) or k.state.sent.find(key) != Sent.TAKEN:
        return False
    entry = k.backing(key)
    return entry is None or entry.writable


def pause(k: Knowledge, event: e.Pause) -> None:
    k.runs(event.vm, False)


def unpause(k: Knowledge, event: e.Unpause) -> None:
    k.runs(event.vm, "pause" not in k.silent)


def resume(k: Knowledge, event: e.Resume) -> None:
    """What the other machine has is judged once more, page by page."""
    vm = event.vm
    if unmarked := sorted(key for key in k.late if key[0] == vm):
        why = "it was written to, and no mark came after that"
        unless_silent(k, deviates(memory.unmarked_pages_are_there, unmarked[0], why), about(k, *unmarked))
    with together(k):
        stretch(k, vm, 0, e.LAST_GFN, lambda gfn: _resumed(k, (vm, gfn), event.fetched))


def _resumed(k: Knowledge, key: Key, fetched: bool) -> None:
    """Of a page that is no memory any more (in the balloon, unplugged) nothing has to be there. A page that is marked is fetched
    before it is used, unless it is said that none was. Where the dirty log was never used, no page is marked; nor is one that was
    sent before anything was told of its mark: a monitor that begins with all marks takes the mark of each page that it sends."""
    sent = k.state.sent.find(key)
    if sent is None or k.state.plugged.find(key) is False:
        return
    first = sent == Sent.MARKED and not k.silent & LOGGING and k.state.marks_told.find(key) == MarkTold.SENT
    if fetched and not first and (sent == Sent.MARKED or k.silent & MARKING):
        return
    is_marked = sent == Sent.MARKED and not first and key[0] in k.logged and not k.silent & LOGGING
    there = Open if "send" in k.silent else as_kept(k.tables["destination"], key)
    if k.closed and there is Nowhere:
        if k.pages[key] != Contents(zeroed=True):
            _not_there(k, key, "it was never sent")
    elif is_marked and _is_memory(k, key) and not _may_both_be_zeroes(k.pages[key], k.state.destination[key], there is Open):
        _not_there(k, key, "it is marked, and was not sent after that")
    elif not is_marked and (first or sent != Sent.MARKED or key[0] not in k.logged):
        _compared(k, key)


def _is_memory(k: Knowledge, key: Key) -> bool:
    """Whether it is known that there is memory at a page, or what it is: marks are also taken of ranges in which there is none."""
    return k.state.plugged.find(key) is not None or k.backing(key) is not None or key in k.pages


def cancelled(k: Knowledge, event: e.Cancelled) -> None:
    """The next machine has nothing of the VM. Its memory is taken to be zeroes, so that pages of zeroes need not be sent."""
    k.logged.add(event.vm)
    k.late = {key for key in k.late if key[0] != event.vm}
    for ring in (ring for (vm, _), ring in k.rings.items() if vm == event.vm):
        ring.entries.clear()  # what is harvested of the old log is marked anyway
    with together(k):
        stretch(k, event.vm, 0, e.LAST_GFN, lambda gfn: _cancelled(k, (event.vm, gfn)))


def _cancelled(k: Knowledge, key: Key) -> None:
    if k.state.sent.find(key) is not None and not _is_as_cancelled(k, key):
        with k.judging(about(k, key)):
            k.state.destination[key] = Contents(zeroed=True)
            k.state.mark(*key)


def _is_as_cancelled(k: Knowledge, key: Key) -> bool:
    """Whether a page is as a migration that is cancelled leaves it: nothing was done to it since the last was."""
    if k.state.sent.find(key) != Sent.MARKED or k.state.marks_told.find(key) != MarkTold.NOTHING:
        return False
    there: Contents | None = k.state.destination.find(key)
    return there is not None and there.zeroed and not there.words and there.either is None


def _may_both_be_zeroes(page: Contents, there: Contents, is_forgotten: bool) -> bool:
    """Whether a page that was sent is known to hold zeroes only, and the other machine's copy of it may. Of one of which it is not
    known whether it was sent, both may be."""
    return (is_forgotten or (page.zeroed and not any(page.words.values()))) and page == Contents(zeroed=True) and there.is_zero()


def _not_there(k: Knowledge, key: Key, why: str) -> None:
    unless_silent(k, deviates(memory.unmarked_pages_are_there, key, why), about(k, key), contents=True)


def _compared(k: Knowledge, key: Key) -> None:
    """A page is there as the bare machine has it. The VM stands still, so it does not matter whether the page may be written to."""
    if k.state.destination[key] != k.pages[key]:
        found = deviates(memory.unmarked_pages_are_there, key)
        unless_silent(k, found, about(k, key), contents="send" not in k.silent)


# ---------------------------------------------------------------- dirty rings

KEPT = (
    "EQV-4",
    "ring_entries_are_kept",
    "No entry of a dirty ring is lost: entries are pushed and harvested in order, and are reset only after they are harvested.",
)
MOST = 1 << 16
"""Entries of a ring that nobody has reset: KVM's rings have so many at most."""


@attrs.define
class DirtyRing:
    """A dirty ring: its entries that are not reset, how far it is pushed, harvested and reset, and how many it has room for. None
    where that is not known."""

    entries: dict[int, int] = attrs.field(factory=dict)
    next: int | None = None
    harvested: int | None = None
    reset: int | None = None
    size: int | None = None

    @property
    def held(self) -> int:
        """Entries that are pushed and not reset, as far as is known."""
        return len(self.entries) if self.next is None or self.reset is None else self.next - self.reset


def _ring(k: Knowledge, event: e.RingPush | e.RingHarvest | e.RingReset | e.RingFull) -> DirtyRing:
    k.logged.add(event.vm)
    begun = 0 if k.closed and event.vm not in k.obscure else None
    found: DirtyRing = k.rings.setdefault((event.vm, event.ring), DirtyRing({}, begun, begun, begun))
    return found


def _lost(k: Knowledge, event: e.RingPush | e.RingHarvest | e.RingReset | e.RingFull, expected: str, why: str) -> None:
    found = Deviates(*KEPT, [expected], f"ring {event.ring}: {why}")
    found.names = (("vm", event.vm), ("ring", event.ring))
    unless_silent(k, found, About())


def ring_push(k: Knowledge, event: e.RingPush) -> None:
    ring = _ring(k, event)
    first = ring.harvested if ring.next is None else ring.next
    if first is not None and (event.index < first or (event.index > first and ring.next is not None)):
        _lost(k, event, f"index {first}", f"entry {first} comes next")
    room = ring.size or MOST
    if ring.held >= room:
        _lost(k, event, "ring_reset before", f"it has {room:,} entries that are not reset: one would be overwritten")
        _reset_untold(ring, event.index + 1 - room)
    ring.next = event.index + 1
    ring.entries[event.index] = event.gfn
    _by_step(k, (event.vm, event.gfn), e.Mark, mark)


def _reset_untold(ring: DirtyRing, before: int) -> None:
    """There is room for another entry, so those before this index were reset."""
    for index in [index for index in ring.entries if index < before]:
        del ring.entries[index]
    ring.reset = max(ring.reset or 0, before)


def ring_harvest(k: Knowledge, event: e.RingHarvest) -> None:
    ring = _ring(k, event)
    first = ring.harvested or 0
    if event.end < first or (ring.next is not None and event.end > ring.next):
        if ring.next is None:
            _lost(k, event, f"end from {first}", f"entries up to {first - 1} are harvested")
        else:
            _lost(k, event, f"end from {first} to {ring.next}", f"entries {first} to {ring.next - 1} are there")
    with _each(k):
        for index in [index for index in ring.entries if first <= index < event.end]:
            _by_step(k, (event.vm, ring.entries[index]), e.TakeMark, take_mark)
    ring.harvested = event.end
    ring.next = None if ring.next is None else max(ring.next, event.end)


def ring_reset(k: Knowledge, event: e.RingReset) -> None:
    ring = _ring(k, event)
    if ring.harvested is not None and event.end > ring.harvested:
        why = f"entries from {ring.harvested} on were not harvested, and their pages are not sent"
        _lost(k, event, f"end {ring.harvested}", why)
    reset = [index for index in ring.entries if index < event.end]
    clears_flags = k.marks_late  # or write-protects: which of them is not told (KVM with PML)
    if clears_flags or ring.reset is None or len(reset) < event.end - ring.reset:  # entries that nobody told: of any pages
        k.protected_untold[event.vm] = k.maps
        k.alike.clear()
    if ring.harvested is None:
        _were_harvested(k, [(event.vm, ring.entries[index]) for index in reset])
    with _each(k):
        for index in reset:
            if not clears_flags:
                _by_step(k, (event.vm, ring.entries[index]), e.Protect, protect)
            del ring.entries[index]
    ring.reset = max(ring.reset or 0, event.end)


def _were_harvested(k: Knowledge, keys: list[Key]) -> None:
    """Entries are reset, it is not known when they were harvested: their marks may have been taken, and others set since."""
    for key in keys:
        with k.judging(about(k, key)):
            k.tables["sent"].forget(key)


def _each(k: Knowledge) -> contextlib.AbstractContextManager[object]:
    """What is done to pages one by one breaks no law: it is undone together where it is undone, and steps are never undone."""
    return contextlib.nullcontext() if k.by_step else together(k)


def ring_full(k: Knowledge, event: e.RingFull) -> None:
    ring = _ring(k, event)
    if ring.size not in (None, event.size):
        raise Inconsistent("size", f"ring {event.ring} of vm {event.vm} had {ring.size} entries before")
    ring.size = event.size
    if ring.held > event.size:
        _lost(k, event, f"at most {event.size} entries", f"it has {ring.held} entries that are not reset")
