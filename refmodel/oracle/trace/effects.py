"""What each event about the monitor says of its tables: one function an event, and the laws judge what comes of it.

These are no operations of a monitor: an event tells what *has* been done, and the tables are made to say so. Where the
mechanisms' own text has a word for a change (``plug``, ``release``, ``drop_copy``, ``mark``), that is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from refmodel.language import NOTHING
from refmodel.laws import accounting, equivalence, memory
from refmodel.mmu.contract import Derived
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.monitor.swapping import SlotUse
from refmodel.oracle.trace import dumps, guest, linear, reported
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.changes import MANY, about, let_go, let_write, linger, lose_sight, own, protected, rest, take, unwatched
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.knowledge import About, Knowledge, deviates
from refmodel.oracle.trace.observed import Granted
from refmodel.oracle.trace.tables import Key


def effect(k: Knowledge, event: e.Event) -> None:
    """Hold any event but a load or a store against what is known; raises ``Deviates`` or ``Inconsistent``."""
    EFFECTS[type(event)](k, event)


# ---------------------------------------------------------------- memory comes and goes


def ram(k: Knowledge, event: e.Ram) -> None:
    if event.bytes:
        k.rams.append((event.vm, event.gpa >> 12, (event.gpa + event.bytes - 1) >> 12))


def populate(k: Knowledge, event: e.Populate) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        take(k, event.mfn)
        if entry is None or entry.backing != Backing.PROMISED:
            k.state.plug(*key)
        own(k, key, event.mfn, k.page(*key).copy(), P2mEntry(Backing.MAPPED, event.mfn, unwatched(k, key)))


def promise(k: Knowledge, event: e.Promise) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    with k.judging(about(k, key)):
        if entry is not None and entry.resident:
            k.state.vacate(*key)
        elif entry is not None:
            k.state.plug(*key)
        k.state.p2m[key] = P2mEntry(Backing.PROMISED)


def inflate(k: Knowledge, event: e.Inflate) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key, actor=event.vm)):
        if k.backing(key) is not None:
            k.state.vacate(*key)
        k.state.p2m[key] = P2mEntry(Backing.BALLOONED)
        k.state.unplug(*key)


def deflate(k: Knowledge, event: e.Deflate) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    if entry is not None and entry.backing != Backing.BALLOONED:
        why = f"gfn {event.gfn:#x} is not in the balloon but {entry.backing.value}"
        k.unless_silent(deviates(accounting.balloon_sizes_are_exact, (event.vm,), why), about(k, key))
    with k.judging(about(k, key, frames=(event.mfn,), actor=event.vm)):
        k.state.plug(*key)
        if event.mfn is None:
            k.state.p2m[key] = P2mEntry(Backing.PROMISED)
        else:
            take(k, event.mfn)
            own(k, key, event.mfn, Contents(zeroed=True), P2mEntry(Backing.MAPPED, event.mfn, True))


def balloon(k: Knowledge, event: e.Balloon) -> None:
    with k.judging(About(frozenset({(event.vm, 0)}), counts=True)):
        k.state.balloon[event.vm] = attrs.evolve(k.state.balloon.default, actual=event.actual)


# ---------------------------------------------------------------- translations


def map_(k: Knowledge, event: e.Map) -> None:
    key, new = (event.vm, event.gfn), Derived(True, event.mfn, event.writable)
    k.mapping.add(event.vm)
    table = reported.translating(k, key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        if event.writable:
            let_write(k, guest.reached(k, *key))
        old = table.find(key)
        if old is not None and old.present and (old.mfn != new.mfn or (old.writable and not new.writable)):
            linger(k, key, old)
        table[key] = new
        if table is k.state.derived and k.backing(key) is None:
            place(k, key, new)


def place(k: Knowledge, key: Key, derived: Derived) -> None:
    """A translation tells where a page is of which that was not known, as far as nothing else would make it lawful."""
    frame = k.state.frames.find(derived.mfn)
    entry = P2mEntry(Backing.MAPPED, derived.mfn, derived.writable)
    if frame is None and derived.writable:
        own(k, key, derived.mfn, k.page(*key), entry)
    elif frame is not None and frame.use != Use.SHARED and (frame.vm, frame.gfn) != key:
        k.state.p2m[key] = entry


def unmap(k: Knowledge, event: e.Unmap) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        for table in (k.state.derived, k.state.borrowed):
            linger(k, key, table.find(key))
            table[key] = Derived()


def protect(k: Knowledge, event: e.Protect) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        table = reported.translating(k, key)
        old = table.find(key)
        if old is not None and old.writable:
            linger(k, key, old, protects=True)
            table[key] = attrs.evolve(old, writable=False)
        protected(k, guest.reached(k, *key))


def unprotect(k: Knowledge, event: e.Unprotect) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        let_write(k, key)


def track(k: Knowledge, event: e.Track) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        k.state.tracked[key] = True
        entry = k.backing(key)
        if entry is not None and entry.writable:
            k.state.p2m[key] = attrs.evolve(entry, writable=False)


def untrack(k: Knowledge, event: e.Untrack) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        k.state.tracked[key] = False


def flush_begin(k: Knowledge, event: e.FlushBegin) -> None:
    k.flushed[event.vm] = k.time


def flush_end(k: Knowledge, event: e.FlushEnd) -> None:
    if event.vm not in k.flushed:
        raise Inconsistent("e", f"no flush of vm {event.vm} was begun")
    begun = k.flushed.pop(event.vm)
    gone = [key for key, entries in k.lingering.items() if key[0] == event.vm and any(each.since <= begun for each in entries)]
    with k.judging(About()):
        for key in gone:
            before = k.lingering[key]
            k.lingering[key] = tuple(each for each in before if each.since > begun)
            if any(each.protects and each.since <= begun for each in before):
                protected(k, guest.reached(k, *key))


# ---------------------------------------------------------------- sharing


def share(k: Knowledge, event: e.Share) -> None:
    one, other = (event.vm, event.gfn), (event.with_vm, event.with_gfn)
    if one == other:
        raise Inconsistent("with_gfn", "a page cannot be shared with itself")
    with k.judging(about(k, one, other, frames=(event.mfn,))):
        if event.mfn is None:
            _shared_somewhere(k, one, other)
        else:
            _shared_on(k, event.mfn, one, other)
    first, second = k.page(*one), k.page(*other)
    first.unify(second)
    second.unify(first)


def _shared_on(k: Knowledge, mfn: int, one: Key, other: Key) -> None:
    entries = {key: k.backing(key) for key in (one, other)}
    new = [key for key, entry in entries.items() if entry is None or entry.mfn != mfn]
    frame = k.state.frames.find(mfn)
    if len(new) == 2 and (frame is None or frame.use != Use.SHARED):
        take(k, mfn)  # neither page's: both were copied to a third
    if mfn not in k.state.memory or (len(new) < 2 and frame is not None and frame.use == Use.PRIVATE):
        k.state.memory[mfn] = k.page(*next((key for key in entries if key not in new), one)).copy()
    had = frame.references if frame is not None and frame.use in (Use.SHARED, Use.PRIVATE) else 0 if frame is not None else MANY
    k.state.frames[mfn] = Frame(Use.SHARED, references=had + len(new))
    for key in new:
        let_go(k, entries[key])
    for key, entry in entries.items():
        k.state.p2m[key] = attrs.evolve(entry or P2mEntry(Backing.MAPPED), mfn=mfn, writable=False)


def _shared_somewhere(k: Knowledge, one: Key, other: Key) -> None:
    """It is not said on which frame: nothing is known of any that it may be."""
    first, second = k.page(*one), k.page(*other)
    if first != second:
        why = f"it differs at offset {first.differs_at(second) or 0:#x} from what it is shared with"
        k.unless_silent(deviates(equivalence.memory_is_the_bare_machines, other, why), about(k, one, other), contents=True)
    for key in (one, other):
        lose_sight(k, key)


def break_(k: Knowledge, event: e.Break) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        if entry is not None:
            k.state.drop_copy(*key)
        if event.mfn is None:
            lose_sight(k, key)
            return
        if entry is None or event.mfn != entry.mfn:
            take(k, event.mfn)
            let_go(k, entry)
        own(k, key, event.mfn, k.page(*key).copy(), P2mEntry(Backing.MAPPED, event.mfn, True))


# ---------------------------------------------------------------- swapping


def write_back(k: Knowledge, event: e.WriteBack) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key, slots=(event.slot,))):
        use, entry = k.state.slots.find(event.slot), k.backing(key)
        if use is not None and use.used and (use.vm, use.gfn) != key:
            why = f"slot {event.slot} holds the copy of vm {use.vm}, gfn {use.gfn:#x}"
            k.unless_silent(deviates(memory.slots_are_counted, key, why), about(k, key, (use.vm, use.gfn)))
            entry = k.backing(key)
        if entry is not None and entry.slot not in (NOTHING, event.slot):
            k.state.drop_copy(*key)
        k.state.slots[event.slot] = SlotUse(True, *key)
        k.state.swap[event.slot] = k.page(*key).copy()
        if entry is not None:
            rest(k, key)
            k.state.p2m[key] = attrs.evolve(k.state.p2m[key], slot=event.slot)


def swap_out(k: Knowledge, event: e.SwapOut) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key, slots=() if event.slot is None else (event.slot,))):
        entry = k.backing(key)
        if entry is None:
            return
        if entry.slot == NOTHING or event.slot not in (None, entry.slot):
            why = "no slot holds what it holds now" if entry.slot == NOTHING else f"what it holds is in slot {entry.slot}"
            k.unless_silent(deviates(memory.swapped_pages_are_the_bare_machines, key, why), about(k, key))
            return
        let_go(k, entry)
        k.state.p2m[key] = P2mEntry(Backing.SWAPPED, slot=entry.slot)


def swap_in(k: Knowledge, event: e.SwapIn) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        slot = NOTHING if entry is None else entry.slot
        if event.mfn is None:
            k.tables["p2m"].forget(key)
            return
        take(k, event.mfn)
        let_go(k, entry)
        kept = slot if event.keep else NOTHING
        if slot != kept and slot in k.tables["slots"]:
            k.state.slots[slot] = SlotUse()
        own(k, key, event.mfn, k.page(*key).copy(), P2mEntry(
            Backing.MAPPED, event.mfn, writable=kept == NOTHING and unwatched(k, key), slot=kept))


# ---------------------------------------------------------------- logging and migration


def mark(k: Knowledge, event: e.Mark) -> None:
    with k.judging(about(k, (event.vm, event.gfn))):
        k.state.mark(event.vm, event.gfn)


def take_mark(k: Knowledge, event: e.TakeMark) -> None:
    with k.judging(about(k, (event.vm, event.gfn))):
        k.state.sent[event.vm, event.gfn] = Sent.TAKEN


def send(k: Knowledge, event: e.Send) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        k.state.destination[key] = k.page(*key).copy()
        if k.backing(key) is not None:
            rest(k, key)
        if k.state.sent.find(key) not in (None, Sent.MARKED):
            k.state.sent[key] = Sent.THERE


def resume(k: Knowledge, event: e.Resume) -> None:
    """What the other machine has is judged once more, page by page."""
    pages = [key for key, sent in k.state.sent.items() if key[0] == event.vm and sent != Sent.MARKED]
    with k.judging(about(k, *pages, actor=event.vm)):
        for key in pages:
            k.state.sent[key] = Sent.THERE


# ---------------------------------------------------------------- grants


def grant_(k: Knowledge, event: e.Grant) -> None:
    borrower = event.to_vm, event.to_gfn
    with k.judging(about(k, borrower, (event.vm, event.gfn))):
        k.state.grants[borrower] = Granted(True, event.vm, event.gfn, event.writable)
        k.tables["bare_memory"].pop(borrower, None)
    k.page(event.vm, event.gfn).plain = False


def revoke(k: Knowledge, event: e.Revoke) -> None:
    borrower = event.to_vm, event.to_gfn
    with k.judging(about(k, borrower, (event.vm, event.gfn))):
        k.state.grants[borrower] = Granted()


# ---------------------------------------------------------------- frames


def free(k: Knowledge, event: e.Free) -> None:
    with k.judging(about(k, frames=(event.mfn,))):
        k.state.frames[event.mfn] = Frame()


def table_(k: Knowledge, event: e.Table) -> None:
    with k.judging(about(k, frames=(event.mfn,))):
        take(k, event.mfn)
        k.state.frames[event.mfn] = Frame(Use.TABLE, event.vm)


def abort(k: Knowledge, event: e.Abort) -> None:
    raise Deviates("EFF-3", "the_monitor_never_aborts", "The monitor never aborts.", why=event.why)


def gap(k: Knowledge, event: e.Gap) -> None:
    k.start(closed=False)


def header(k: Knowledge, event: e.Header) -> None:
    unknown = [kind for kind in event.silent if kind not in e.KINDS]
    if unknown:
        raise Inconsistent("silent", f"there are no events {', '.join(unknown)}")
    k.flushes_told, k.silent = event.flushes == "told", frozenset(event.silent)
    k.silent_fills = any(kind in FILLS for kind in event.silent)
    k.start(closed=event.start == "power-on")


FILLS = ("store", "access", "populate", "deflate", "ram")
"""Events that change what a guest finds in its memory."""

EFFECTS: dict[type[e.Event], Callable[[Knowledge, Any], None]] = {
    e.Load: guest.load, e.Store: guest.store, e.Hole: guest.hole, e.Exit: guest.exit_, e.Cell: guest.dumped,
    e.Registers: linear.registers, e.Invlpg: linear.invlpg, e.Invpcid: linear.invpcid, e.Linear: linear.access,
    e.Ram: ram, e.Populate: populate, e.Promise: promise, e.Inflate: inflate, e.Deflate: deflate, e.Balloon: balloon,
    e.Map: map_, e.Unmap: unmap, e.Protect: protect, e.Unprotect: unprotect,
    e.Track: track, e.Untrack: untrack, e.FlushBegin: flush_begin, e.FlushEnd: flush_end,
    e.Share: share, e.Break: break_, e.WriteBack: write_back, e.SwapOut: swap_out, e.SwapIn: swap_in,
    e.Mark: mark, e.TakeMark: take_mark, e.Send: send, e.Resume: resume, e.Grant: grant_, e.Revoke: revoke,
    e.Free: free, e.Table: table_, e.Abort: abort, e.Entry: dumps.entry_, e.Backed: dumps.backed, e.FrameIs: dumps.frame_,
    e.Gap: gap, e.Header: header}
