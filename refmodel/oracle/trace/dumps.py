"""What a dump says of the monitor's tables: what is known has to agree with it, and what is not is known from now on."""

from __future__ import annotations

import itertools

import attrs

from refmodel.language import NOTHING
from refmodel.mmu.contract import Derived
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import reaching, reported
from refmodel.oracle.trace.changes import (
    MANY,
    about,
    given_untold,
    is_shared,
    keep_as_last_sharer,
    lost_if_reported,
    may_be_left,
    own,
    unwatched,
)
from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.trace.knowledge import About, Knowledge, Lingering
from refmodel.oracle.trace.observed import Granted
from refmodel.oracle.trace.silence import unless_silent
from refmodel.oracle.trace.tables import Key, Open


def entry_(k: Knowledge, event: e.Entry) -> None:
    key, found = (event.vm, event.gfn), Derived(True, event.mfn, event.writable)
    unreported = reported.entry(k, key, event)
    entry = k.backing(key)
    if event.writable and event.where == "table":
        reported.within_its_slot(k, key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        if event.writable and entry is not None and entry.mfn == event.mfn and _may_be_written_by_now(k, key, entry):
            k.state.p2m[key] = attrs.evolve(entry, writable=True)
        table = reported.translating(k, key)
        if event.where == "table":
            table[key] = found
        elif not any(_lets(each, found) for each in (table.get(key), *(cached.derived for cached in k.lingering[key]))):
            k.lingering[key] = (*k.lingering[key], Lingering(found, _taken_away_at_the_earliest(k, key)))
    if unreported is not None:  # a law that is broken says more
        try:
            unless_silent(k, unreported, about(k, key))
        except Deviates:
            if not k.keeps_what_breaks:
                k.undo(k.begun)  # what was found is not known: it may be judged once more
            raise


def _lets(derived: Derived | None, found: Derived) -> bool:
    """Whether a translation that is known lets a processor have this one: with its rights, or with fewer, as it was before."""
    return derived is not None and derived.present and derived.mfn == found.mfn and derived.writable >= found.writable


def _taken_away_at_the_earliest(k: Knowledge, key: Key) -> int:
    """When a translation may have been taken away that nobody told of, and that is still cached: before the flushes of its page
    began that have not ended."""
    under_way = (flush for (vm, _), begun in k.flushed.items() if vm == key[0] for flush in begun)
    return min((flush.begun for flush in under_way if flush.first <= key[1] <= flush.last), default=k.time)


def backed(k: Knowledge, event: e.Backed) -> None:
    key = event.vm, event.gfn
    grant = k.state.grants.find(key)
    if grant is not None and grant.present:
        _backed_where_it_is_borrowed(k, event, grant)
        return
    given_untold(k, key)
    entry, frame, this = k.backing(key), k.state.frames.find(event.mfn), about(k, key, frames=(event.mfn,))
    if entry is not None:
        agree(k, this, entry.resident and entry.mfn == event.mfn, f"vm {event.vm}, gfn {event.gfn:#x} is {_where(entry)}")
        may = not event.writable or entry.writable or _may_be_written_by_now(k, key, entry)
        agree(k, this, may, f"vm {event.vm}, gfn {event.gfn:#x} is read-only")
    if event.shared is False:
        _as_last_sharers(k, event.mfn)
        frame = k.state.frames.find(event.mfn)
    if frame is not None and event.shared is not None and entry is not None:
        agree(k, this, event.shared == (frame.use == Use.SHARED), f"mfn {event.mfn:#x} is {frame.use.value}")
    if entry is None and not _is_lent(k, key):
        _may_stand_there(k, this, key, event.mfn)
        _learned(k, key, event)


def _may_be_written_by_now(k: Knowledge, key: Key, entry: P2mEntry) -> bool:
    """Whether a page that was read-only may be written to since a fault, where nobody told its translation: no copy on swap, no
    other page and no dirty log is in the way."""
    is_told = key[0] in k.mapping and k.tables["derived"].told(key) is not None
    return entry.mapped and not is_told and entry.slot == NOTHING and unwatched(k, key) and not is_shared(k, key)


def _backed_where_it_is_borrowed(k: Knowledge, event: e.Backed, grant: Granted) -> None:
    """Xen's p2m has the lender's frame there."""
    lent = grant.vm, grant.gfn
    entry, this = k.backing(lent), about(k, (event.vm, event.gfn), lent, frames=(event.mfn,))
    where = f"vm {event.vm}, gfn {event.gfn:#x} is borrowed from vm {grant.vm}, gfn {grant.gfn:#x}"
    if entry is not None:
        agree(k, this, entry.resident and entry.mfn == event.mfn, f"{where}, which is {_where(entry)}")
    agree(k, this, not event.writable or grant.writable, f"{where} for reading")


def _is_lent(k: Knowledge, key: Key) -> bool:
    """Whether a page may stand on the frame of another that it borrows, or lend its own."""
    grant = k.state.grants.find(key)
    return key in k.lent or (grant is not None and grant.present)


def _may_stand_there(k: Knowledge, this: About, key: Key, mfn: int) -> None:
    """A page of which it is not known where it is may be at any frame but a table, and another page's own."""
    with k.judging(about(k, frames=(mfn,))):
        lost_if_reported(k, mfn)
    frame = k.state.frames.find(mfn)
    if frame is not None and frame.use not in (Use.FREE, Use.SHARED):
        whose = f" of vm {frame.vm}, gfn {frame.gfn:#x}" if frame.use == Use.PRIVATE else ""
        agree(k, this, frame.use == Use.PRIVATE and (frame.vm, frame.gfn) == key, f"mfn {mfn:#x} is {frame.use.value}{whose}")


def _learned(k: Knowledge, key: Key, event: e.Backed) -> None:
    """Where a page is, of which that was not known, as far as the dump says it."""
    if event.shared is None or (event.shared and event.writable is None):
        return
    writable = unwatched(k, key) if event.writable is None else event.writable
    with k.judging(about(k, key, frames=(event.mfn,))):
        if event.shared:
            k.state.frames[event.mfn] = Frame(Use.SHARED, references=MANY)
            k.state.memory[event.mfn] = k.page(*key).copy()
            k.state.p2m[key] = P2mEntry(Backing.MAPPED, event.mfn, writable)
        else:
            own(k, key, event.mfn, k.page(*key), P2mEntry(Backing.MAPPED, event.mfn, writable))
    if not event.writable:
        k.may_have_copies.add(key)
        k.alike.pop(key, None)
        k.look(key)


def _where(entry: P2mEntry) -> str:
    return f"at mfn {entry.mfn:#x}" if entry.resident else entry.backing.value


def frame_(k: Knowledge, event: e.FrameIs) -> None:
    if not _as_told(k, event):
        learned = {Use.TABLE.value: Frame(Use.TABLE), Use.SHARED.value: Frame(Use.SHARED, references=MANY)}.get(event.use or "")
        if learned is not None and k.state.frames.find(event.mfn) is None and not reaching.pages_of(k, event.mfn):
            with k.judging(about(k, frames=(event.mfn,))):
                k.state.frames[event.mfn] = learned
        return
    frame = k.state.frames.find(event.mfn)
    agree(k, about(k, frames=(event.mfn,)), event.use in (None, frame.use.value), f"mfn {event.mfn:#x} is {frame.use.value}")
    if event.references is not None:
        with k.judging(about(k, frames=(event.mfn,), counts=True)):
            k.state.frames[event.mfn] = attrs.evolve(frame, references=event.references)
        if frame.use == Use.SHARED and event.references > len(reaching.standing_on(k, event.mfn)):
            with k.judging(about(k, frames=(event.mfn,))):  # who is not known may leave, and nobody knows that it was there
                k.state.frames[event.mfn] = attrs.evolve(frame, references=MANY)


def _as_told(k: Knowledge, event: e.FrameIs) -> bool:
    """Whether what was told of a frame is all that is known of it: no more, if another may stand on it, or nobody."""
    with k.judging(about(k, frames=(event.mfn,))):
        lost_if_reported(k, event.mfn)
    frame = k.state.frames.find(event.mfn)
    if frame is None:
        return False
    used = event.use not in (None, Use.FREE.value) or bool(event.references)
    if may_be_left(k, event.mfn) or (frame.use == Use.FREE and used and _any_is_untold(k)):
        k.tables["frames"].forget(event.mfn)
        return False
    if event.use == Use.PRIVATE.value:
        _as_last_sharers(k, event.mfn)
    return k.state.frames.find(event.mfn) is not None  # what it holds may say that something untold has happened to it


def _any_is_untold(k: Knowledge) -> bool:
    """Whether a page may have a frame that was not told."""
    p2m = k.tables["p2m"]
    assert p2m.ranges is not None
    said = itertools.chain(
        ((vm, entry) for (vm, _), entry in p2m.items()),
        ((vm, piece.value) for vm, of_vm in p2m.ranges.pieces.items() for piece in of_vm if piece.value is not Open),
    )
    return (
        not p2m.closed
        or p2m.any_is_open()
        or any(entry.backing == Backing.PROMISED and vm not in k.populating for vm, entry in said)
    )


def _as_last_sharers(k: Knowledge, mfn: int) -> None:
    """A frame is said to be somebody's own: that of the last who shares it, if one is alone there."""
    with k.judging(about(k, frames=(mfn,))):
        for key in sorted(k.behind.of(mfn)):
            keep_as_last_sharer(k, key)


def agree(k: Knowledge, concerned: About, condition: bool, instead: str) -> None:
    """What the monitor records has to be what it did."""
    if not condition:
        why = f"{instead}, by what was told"
        unless_silent(k, Deviates("RES-1", "records_are_exact", "The monitor's records match its actions.", why=why), concerned)
