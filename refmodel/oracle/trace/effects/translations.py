"""Translations are installed, lose rights, go, and are forgotten."""

from __future__ import annotations

import attrs
import msgspec

from refmodel.mmu.contract import Derived
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import exits, flushes, guest, reaching, reported
from refmodel.oracle.trace.changes import (
    about,
    by_any_name,
    drop_copy,
    given_untold,
    keep_as_last_sharer,
    let_write,
    linger,
    lost_if_reported,
    may_be_last,
    own,
    protected,
    unwatched,
)
from refmodel.oracle.trace.deviations import Inconsistent
from refmodel.oracle.trace.knowledge import About, Knowledge, deviates
from refmodel.oracle.trace.observed import entries_found_were_reported
from refmodel.oracle.trace.silence import unless_silent
from refmodel.oracle.trace.stretches import over, stretch, together
from refmodel.oracle.trace.tables import Key


def map_(k: Knowledge, event: e.Map) -> None:
    if event.vm not in k.mapping:
        k.mapping.add(event.vm)
        k.alike.clear()
    size = 512 ** (event.level - 1)
    pages = event.pages or 1
    if event.gfn % size or event.mfn % size or (pages > 1 and pages % size):
        raise Inconsistent("level", f"a leaf of level {event.level} begins at multiples of {size} pages and frames")
    if size > 1 and event.bits is not None:
        raise Inconsistent("bits", f"a leaf of level {event.level} maps {size} pages; expected pages, or neither")
    if size > pages:
        event = msgspec.structs.replace(event, pages=size)
    exits.mapped(k, event)
    if event.is_of_one_page:
        _map_page(k, event)
    else:
        over(k, event, _map_page)  # type: ignore[arg-type]


def _map_page(k: Knowledge, event: e.Map) -> None:
    key, new = (event.vm, event.gfn), Derived(True, event.mfn, event.writable)
    table = reported.translating(k, key)
    given_untold(k, guest.reached(k, *key))
    with k.judging(about(k, key, frames=(event.mfn,))):
        lost_if_reported(k, event.mfn)
        if event.writable:
            reported.within_its_slot(k, key)
            let_write(k, guest.reached(k, *key))
        old = table.find(key)
        if (old is None and not new.writable) or (
            old is not None and old.present and (old.mfn != new.mfn or (old.writable and not new.writable))
        ):
            linger(k, key, old)
        table[key] = new
        if event.execute is not None:
            k.state.executable[key] = event.execute
        elif k.tables["executable"].told(key) is not None:
            k.tables["executable"].forget(key)
        owner = guest.reached(k, *key)
        if k.backing(owner) is None:
            place(k, owner, new)


def place(k: Knowledge, key: Key, derived: Derived) -> None:
    """A translation tells where a page is of which that was not known, as far as nothing else would make it lawful."""
    frame = k.state.frames.find(derived.mfn)
    if frame is not None and frame.use == Use.FREE:
        frame = None  # nobody says which frame this page gets, so a free one may have been taken for it
        k.tables["frames"].forget(derived.mfn)
    if key in k.lent:
        return  # it may be another page's
    entry = P2mEntry(Backing.MAPPED, derived.mfn, derived.writable)
    is_its_own = frame is None or (
        frame.use == Use.SHARED
        and may_be_last(k, key, frame, derived.mfn)
        and reaching.pages_of(k, derived.mfn) <= by_any_name(k, key)
    )
    if is_its_own and derived.writable:
        own(k, key, derived.mfn, k.page(*key), entry)
    elif frame is not None and is_its_own:  # whoever shared it may all have left it
        k.tables["frames"].forget(derived.mfn)
    elif frame is not None and (frame.use != Use.SHARED or derived.writable) and (frame.vm, frame.gfn) != key:
        k.state.p2m[key] = entry  # nothing makes that lawful


def split(k: Knowledge, event: e.Split) -> None:
    """Nothing changes of where pages lead. But there has to be something to split."""
    size = 512 ** (event.level - 1)
    if event.gfn % size:
        raise Inconsistent("gfn", f"a leaf of level {event.level} begins at multiples of {size} pages")
    first = k.tables["derived"].told((event.vm, event.gfn))
    if first is None or event.vm not in k.mapping:
        return

    def judge(gfn: int) -> None:
        key = event.vm, gfn
        found = k.tables["derived"].told(key)
        due = first.mfn + gfn - event.gfn
        with k.judging(about(k, key)):
            if found is not None and (not found.present or found.mfn != due or not first.present):
                unless_silent(k, deviates(entries_found_were_reported, (*key, due, first.writable)), about(k, key))

    with together(k):
        stretch(k, event.vm, event.gfn, event.gfn + size - 1, judge)


def unmap(k: Knowledge, event: e.Unmap) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        for table in (k.state.derived, k.state.borrowed):
            if table is k.state.derived or table.find(key) is not None:
                linger(k, key, table.find(key))
            table[key] = Derived()


def protect(k: Knowledge, event: e.Protect) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key)):
        table = reported.translating(k, key)
        old = table.find(key)
        if old is None or old.writable:
            linger(k, key, old, protects=True)
        if old is None and k.flushes_told:
            return
        if old is not None and old.writable:
            table[key] = attrs.evolve(old, writable=False)
        protected(k, guest.reached(k, *key))


def unprotect(k: Knowledge, event: e.Unprotect) -> None:
    if event.is_of_one_page:
        _unprotect_page(k, event)
    else:
        over(k, event, _unprotect_page)  # type: ignore[arg-type]
    exits.allowed(k, event)


def _unprotect_page(k: Knowledge, event: e.Unprotect) -> None:
    """The translation may be writable from now on: some monitors change it at once, others when an access exits."""
    key = event.vm, event.gfn
    reported.within_its_slot(k, key)
    with k.judging(about(k, key, guest.reached(k, *key))):
        let_write(k, guest.reached(k, *key))
        table = reported.translating(k, key)
        old, grant = table.told(key), k.state.grants.find(key)
        may_write = grant is None or not grant.present or grant.writable
        if may_write and old is not None and old.present and not old.writable:
            table[key] = attrs.evolve(old, writable=True)


def track(k: Knowledge, event: e.Track) -> None:
    key = event.vm, event.gfn
    given_untold(k, key)
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
    if event.gfn is None and event.pages is not None:
        raise Inconsistent("pages", "is given without gfn; expected the first page too, or neither for all pages of the VM")
    first, last = (0, e.LAST_GFN) if event.gfn is None else (event.gfn, event.gfn + (event.pages or 1) - 1)
    if last > e.LAST_GFN:
        raise Inconsistent("pages", f"the last page would be gfn {last:#x}; expected at most {e.LAST_GFN:#x}")
    which = event.vm, event.gfn
    k.flushed[which] = flushes.with_begun(k.flushed.get(which, ()), flushes.Flush(event.cpu, k.time, first, last))


def flush_end(k: Knowledge, event: e.FlushEnd) -> None:
    if (event.vm, event.gfn) not in k.flushed:
        if not k.closed or "flush_begin" in k.silent:
            return  # it may have been begun before the trace was, or in a gap: nothing is known to be flushed
        where = "" if event.gfn is None else f", at gfn {event.gfn:#x},"
        begun = next((gfn for vm, gfn in k.flushed if vm == event.vm), None)
        other = "" if begun is None else f"; one was at gfn {begun:#x}, which the end has to name too"
        raise Inconsistent("e", f"no flush of vm {event.vm}{where} was begun{other}")
    (_, begun, first, last), others = flushes.ended(k.flushed.pop((event.vm, event.gfn)), event.cpu)
    if others:
        k.flushed[event.vm, event.gfn] = others
    k.flushes_ended.append(flushes.Ended(event.vm, first, last, begun, event.at))
    alone = sorted(k.cached.get(event.vm, ()))
    if event.gfn is not None:
        alone = [gfn for gfn in alone if first <= gfn <= last]
    assert k.lingering.ranges is not None
    if k.by_step:
        for gfn in alone:
            _forgotten_by_step(k, (event.vm, gfn), begun)
        if not k.lingering.ranges.pieces:
            return
        alone = []
    with together(k):
        with k.judging(About()):  # what is no longer cached breaks no law
            for gfn in alone:
                _forgotten(k, (event.vm, gfn), begun)
        for piece in k.lingering.ranges.overlapping(event.vm, first, last):
            if piece.first == piece.last and (event.vm, piece.first) in k.lingering:
                k.lingering.put_range(event.vm, piece.first, piece.last, None)  # the page is kept by itself by now
            elif any(each.since <= begun for each in piece.value):
                stretch(
                    k,
                    event.vm,
                    max(first, piece.first),
                    min(last, piece.last),
                    lambda gfn: _forgotten_alike(k, (event.vm, gfn), begun),
                )


def _forgotten_by_step(k: Knowledge, key: Key, begun: int) -> None:
    cached = k.lingering[key]
    if cached[-1].since <= begun:  # the last to be taken away
        k.taken(key, _forgotten_alone, _forgotten_alone, (key, begun))
    elif cached[0].since <= begun:
        _forgotten_alone(k, (key, begun))


def _forgotten_alone(k: Knowledge, what: tuple[Key, int]) -> None:
    with k.judging(About()):
        _forgotten(k, *what)


def _forgotten_alike(k: Knowledge, key: Key, begun: int) -> None:
    with k.judging(About()):
        _forgotten(k, key, begun)


def _forgotten(k: Knowledge, key: Key, begun: int) -> None:
    """No processor has a translation of this page cached that was taken away before then."""
    before = k.lingering[key]
    kept = tuple(each for each in before if each.since > begun)
    if len(kept) < len(before):
        k.lingering[key] = kept
        if any(each.protects and each.since <= begun for each in before):
            protected(k, guest.reached(k, *key))


def dma_map(k: Knowledge, event: e.DmaMap) -> None:
    key = event.vm, event.gfn
    if event.vm not in k.dma_mapping:
        k.dma_mapping.add(event.vm)
        k.alike.clear()
    given_untold(k, guest.reached(k, *key))
    with k.judging(about(k, key, frames=(event.mfn,))):
        lost_if_reported(k, event.mfn)
        k.state.dma[key] = Derived(True, event.mfn, event.writable)
        reached = guest.reached(k, *key)
        if event.writable:
            keep_as_last_sharer(k, reached)
            drop_copy(k, reached)
            if k.state.sent.find(reached) in (Sent.PROTECTED, Sent.THERE):  # it is on its way until the VM is stopped
                k.state.sent[reached] = Sent.TAKEN
        if k.backing(reached) is None:  # a device may write to a page whose writes are tracked or logged
            place(k, reached, Derived(True, event.mfn, event.writable and unwatched(k, reached)))
    if event.writable:
        reported.within_its_slot(k, key)
        reported.from_outside(k, guest.reached(k, *key))


def dma_unmap(k: Knowledge, event: e.DmaUnmap) -> None:
    key = event.vm, event.gfn
    if event.vm not in k.dma_mapping:
        k.dma_mapping.add(event.vm)
        k.alike.clear()
    with k.judging(about(k, key)):
        k.state.dma[key] = Derived()
