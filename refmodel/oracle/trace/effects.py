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
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import guest, linear
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.knowledge import CALM, About, Knowledge, Lingering, deviates
from refmodel.oracle.trace.observed import Granted
from refmodel.oracle.trace.tables import Key

MANY = 1 << 40
"""References of a frame that was shared before anything was told of it: nobody knows how many, so it is never the last."""


def effect(k: Knowledge, event: e.Event) -> None:
    """Hold any event but a load or a store against what is known; raises ``Deviates`` or ``Inconsistent``."""
    EFFECTS[type(event)](k, event)


def about(k: Knowledge, *pages: Key, frames: tuple[int | None, ...] = (), slots: tuple[int, ...] = (), **more: Any) -> About:
    """What an event concerns: pages, frames and slots, and the frames and slots that these pages have now."""
    entries = [entry for page in pages if (entry := k.backing(page)) is not None]
    return About(frozenset(pages), frozenset({f for f in frames if f is not None} | {x.mfn for x in entries if x.resident}),
                 frozenset({*slots, *(x.slot for x in entries if x.slot != NOTHING)}), **more)


def take(k: Knowledge, mfn: int) -> None:
    """A frame is taken from the free ones."""
    frame = k.state.frames.find(mfn)
    if frame is None or frame.use == Use.FREE:
        return
    if k.silent:
        k.tables["frames"].forget(mfn)
        return
    whose = f" of vm {frame.vm}, gfn {frame.gfn:#x}" if frame.use == Use.PRIVATE else ""
    raise deviates(accounting.frames_are_conserved, (mfn,), f"it is not free but {frame.use.value}{whose}")


def own(k: Knowledge, key: Key, mfn: int, contents: Contents, entry: P2mEntry) -> None:
    """A frame becomes a page's own. What is in it is what the page holds, so the two are one."""
    former = k.tables["memory"].get(mfn)
    contents.former = former if former is not contents else None
    k.state.frames[mfn] = Frame(Use.PRIVATE, *key, references=1)
    k.state.bare_memory[key] = contents
    k.state.memory[mfn] = contents
    k.state.p2m[key] = entry


def unwatched(k: Knowledge, key: Key) -> bool:
    """Whether a page that comes to a frame may be written to at once: the dirty log does not wait for it."""
    return k.state.sent.find(key) in CALM


def let_go(k: Knowledge, mfn: int) -> None:
    """A page stands on a frame no longer."""
    if k.state.frames.find(mfn) is not None:
        k.state.release(mfn)


def linger(k: Knowledge, key: Key, old: Derived | None) -> None:
    """A translation goes, or loses rights. Where flushes are told, processors may have it cached until one has ended."""
    if old is not None and old.present and k.flushes_told:
        k.lingering[key] = (*k.lingering[key], Lingering(old, k.time))


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
        raise deviates(accounting.balloon_sizes_are_exact, (event.vm,), f"gfn {event.gfn:#x} is not in the balloon but "
                       f"{entry.backing.value}")
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
    grant = k.state.grants.find(key)
    table = k.state.borrowed if grant is not None and grant.present else k.state.derived
    with k.judging(about(k, key, frames=(event.mfn,))):
        if event.writable:
            keep_as_last_sharer(k, key)
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
        old, entry = k.state.derived.find(key), k.backing(key)
        if old is not None and old.writable:
            linger(k, key, old)
            k.state.derived[key] = attrs.evolve(old, writable=False)
        if entry is not None:
            k.state.p2m[key] = attrs.evolve(entry, writable=False)
        if k.state.sent.find(key) == Sent.TAKEN:
            k.state.sent[key] = Sent.PROTECTED


def unprotect(k: Knowledge, event: e.Unprotect) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        if k.backing(key) is not None:
            keep_as_last_sharer(k, key)
            k.state.drop_copy(*key)
            k.state.p2m[key] = attrs.evolve(k.state.p2m[key], writable=True)


def flush_begin(k: Knowledge, event: e.FlushBegin) -> None:
    k.flushed[event.vm] = k.time


def flush_end(k: Knowledge, event: e.FlushEnd) -> None:
    if event.vm not in k.flushed:
        raise Inconsistent("e", f"no flush of vm {event.vm} was begun")
    begun = k.flushed.pop(event.vm)
    with k.judging(About()):
        for key in [key for key, entries in k.lingering.items() if key[0] == event.vm and entries]:
            k.lingering[key] = tuple(each for each in k.lingering[key] if each.since > begun)


# ---------------------------------------------------------------- sharing


def share(k: Knowledge, event: e.Share) -> None:
    one, other = (event.vm, event.gfn), (event.with_vm, event.with_gfn)
    if one == other:
        raise Inconsistent("with_gfn", "a page cannot be shared with itself")
    first, second = k.page(*one), k.page(*other)
    with k.judging(about(k, one, other, frames=(event.mfn,))):
        if event.mfn is None:
            _shared_somewhere(k, one, other)
        else:
            _shared_on(k, event.mfn, one, other)
    first.unify(second)
    second.unify(first)


def _shared_on(k: Knowledge, mfn: int, one: Key, other: Key) -> None:
    entries = {key: k.backing(key) for key in (one, other)}
    new = [key for key, entry in entries.items() if entry is None or entry.mfn != mfn]
    frame = k.state.frames.find(mfn)
    if len(new) == 2 and (frame is None or frame.use != Use.SHARED):
        take(k, mfn)  # neither page's: both were copied to a third
    if mfn not in k.state.memory or (len(new) < 2 and frame is not None and frame.use == Use.PRIVATE):
        k.state.memory[mfn] = k.page(*(one if one not in new else other if other not in new else one)).copy()
    had = frame.references if frame is not None and frame.use in (Use.SHARED, Use.PRIVATE) else 0 if frame is not None else MANY
    k.state.frames[mfn] = Frame(Use.SHARED, references=had + len(new))
    for key in new:
        entry = entries[key]
        if entry is not None and entry.resident:
            let_go(k, entry.mfn)
    for key, entry in entries.items():
        k.state.p2m[key] = attrs.evolve(entry or P2mEntry(Backing.MAPPED), mfn=mfn, writable=False)


def _shared_somewhere(k: Knowledge, one: Key, other: Key) -> None:
    """It is not said on which frame: nothing is known of any that it may be."""
    first, second = k.page(*one), k.page(*other)
    if first != second:
        at = first.differs_at(second) or 0
        raise deviates(equivalence.memory_is_the_bare_machines, other, f"it differs at offset {at:#x} from what it is shared with")
    for key in (one, other):
        entry = k.backing(key)
        if entry is not None and entry.resident:
            k.tables["frames"].forget(entry.mfn)
        k.tables["p2m"].forget(key)


def break_(k: Knowledge, event: e.Break) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        if entry is not None:
            k.state.drop_copy(*key)
        if event.mfn is None:
            if entry is not None and entry.resident:
                k.tables["frames"].forget(entry.mfn)
            k.tables["p2m"].forget(key)
            return
        if entry is None or event.mfn != entry.mfn:
            take(k, event.mfn)
            if entry is not None and entry.resident:
                let_go(k, entry.mfn)
        own(k, key, event.mfn, k.page(*key).copy(), P2mEntry(Backing.MAPPED, event.mfn, True))


def keep_as_last_sharer(k: Knowledge, key: Key) -> None:
    """Whoever is left alone with a frame that was shared has it for its own, said or unsaid."""
    entry = k.backing(key)
    if entry is None or not entry.mapped:
        return
    frame = k.state.frames.find(entry.mfn)
    if frame is not None and frame.use == Use.SHARED and frame.references == 1:
        own(k, key, entry.mfn, k.page(*key).copy(), attrs.evolve(entry, writable=True))


# ---------------------------------------------------------------- swapping


def write_back(k: Knowledge, event: e.WriteBack) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key, slots=(event.slot,))):
        use, entry = k.state.slots.find(event.slot), k.backing(key)
        if use is not None and use.used and (use.vm, use.gfn) != key and not k.silent:
            raise deviates(memory.slots_are_counted, key, f"slot {event.slot} holds the copy of vm {use.vm}, gfn {use.gfn:#x}")
        if entry is not None and entry.slot not in (NOTHING, event.slot):
            k.state.drop_copy(*key)
        k.state.slots[event.slot] = SlotUse(True, *key)
        k.state.swap[event.slot] = k.page(*key).copy()
        if entry is not None:
            rest(k, key)
            k.state.p2m[key] = attrs.evolve(k.state.p2m[key], slot=event.slot)


def rest(k: Knowledge, key: Key) -> None:
    """A page that no translation lets anybody write to is as good as protected."""
    derived = k.state.derived.find(key)
    if derived is not None and not any(each.writable for each in k.translations(key)):
        k.state.p2m[key] = attrs.evolve(k.state.p2m[key], writable=False)


def swap_out(k: Knowledge, event: e.SwapOut) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key, slots=() if event.slot is None else (event.slot,))):
        entry = k.backing(key)
        if entry is None:
            return
        if entry.slot == NOTHING or event.slot not in (None, entry.slot):
            why = "no slot holds what it holds now" if entry.slot == NOTHING else f"what it holds is in slot {entry.slot}"
            raise deviates(memory.swapped_pages_are_the_bare_machines, key, why)
        if entry.resident:
            let_go(k, entry.mfn)
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
        if entry is not None and entry.resident:
            let_go(k, entry.mfn)
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


# ---------------------------------------------------------------- dumps


def entry_(k: Knowledge, event: e.Entry) -> None:
    key, found = (event.vm, event.gfn), Derived(True, event.mfn, event.writable)
    with k.judging(about(k, key, frames=(event.mfn,))):
        if event.where == "tlb":
            k.lingering[key] = (*k.lingering[key], Lingering(found, k.time))
        else:
            k.state.derived[key] = found


def backed(k: Knowledge, event: e.Backed) -> None:
    key = event.vm, event.gfn
    entry, frame = k.backing(key), k.state.frames.find(event.mfn)
    if entry is not None:
        agree(entry.resident and entry.mfn == event.mfn, f"vm {event.vm}, gfn {event.gfn:#x} is {_where(entry)}")
        agree(event.writable is None or not event.writable or entry.writable, f"vm {event.vm}, gfn {event.gfn:#x} is read-only")
    if frame is not None and event.shared is not None and entry is not None:
        agree(event.shared == (frame.use == Use.SHARED), f"mfn {event.mfn:#x} is {frame.use.value}")
    if entry is None and event.writable is not None and event.shared is not None:
        with k.judging(about(k, key, frames=(event.mfn,))):
            if event.shared:
                k.state.frames[event.mfn] = Frame(Use.SHARED, references=MANY)
                k.state.memory[event.mfn] = k.page(*key).copy()
                k.state.p2m[key] = P2mEntry(Backing.MAPPED, event.mfn, event.writable)
            else:
                own(k, key, event.mfn, k.page(*key), P2mEntry(Backing.MAPPED, event.mfn, event.writable))


def _where(entry: P2mEntry) -> str:
    return f"at mfn {entry.mfn:#x}" if entry.resident else entry.backing.value


def frame_(k: Knowledge, event: e.FrameIs) -> None:
    frame = k.state.frames.find(event.mfn)
    if frame is None:
        return
    agree(event.use in (None, frame.use.value), f"mfn {event.mfn:#x} is {frame.use.value}")
    if event.references is not None:
        with k.judging(about(k, frames=(event.mfn,), counts=True)):
            k.state.frames[event.mfn] = attrs.evolve(frame, references=event.references)


def agree(condition: bool, instead: str) -> None:
    """What the monitor records has to be what it did."""
    if not condition:
        raise Deviates("RES-1", "records_are_exact", "What the monitor records is what it did.", why=f"{instead}, by what was told")


def gap(k: Knowledge, event: e.Gap) -> None:
    k.start(closed=False)


def header(k: Knowledge, event: e.Header) -> None:
    unknown = [kind for kind in event.silent if kind not in e.KINDS]
    if unknown:
        raise Inconsistent("silent", f"there are no events {', '.join(unknown)}")
    k.flushes_told, k.silent = event.flushes == "told", frozenset(event.silent)
    k.start(closed=event.start == "power-on")


EFFECTS: dict[type[e.Event], Callable[[Knowledge, Any], None]] = {
    e.Load: guest.load, e.Store: guest.store, e.Hole: guest.hole, e.Exit: guest.exit_, e.Cell: guest.dumped,
    e.Registers: linear.registers, e.Invlpg: linear.invlpg, e.Linear: linear.access,
    e.Ram: ram, e.Populate: populate, e.Promise: promise, e.Inflate: inflate, e.Deflate: deflate, e.Balloon: balloon,
    e.Map: map_, e.Unmap: unmap, e.Protect: protect, e.Unprotect: unprotect, e.FlushBegin: flush_begin, e.FlushEnd: flush_end,
    e.Share: share, e.Break: break_, e.WriteBack: write_back, e.SwapOut: swap_out, e.SwapIn: swap_in,
    e.Mark: mark, e.TakeMark: take_mark, e.Send: send, e.Resume: resume, e.Grant: grant_, e.Revoke: revoke,
    e.Free: free, e.Table: table_, e.Abort: abort, e.Entry: entry_, e.Backed: backed, e.FrameIs: frame_, e.Gap: gap,
    e.Header: header}
