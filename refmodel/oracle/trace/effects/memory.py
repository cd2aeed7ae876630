"""Memory comes, goes and moves."""

from __future__ import annotations

from typing import Any

import attrs

from refmodel.language import NOTHING
from refmodel.laws import contract, equivalence
from refmodel.mmu.contract import Derived
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import guest, joining, reaching
from refmodel.oracle.trace.changes import (
    about,
    copy_is_good_no_more,
    counts_as_marked,
    given_untold,
    hold,
    is_new,
    is_no_memory,
    is_reported,
    is_shared,
    let_go,
    lose_sight,
    noticed,
    own,
    reported_on,
    take,
    unwatched,
    vacate,
)
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Inconsistent
from refmodel.oracle.trace.guest import of_its_vm
from refmodel.oracle.trace.knowledge import Knowledge, deviates
from refmodel.oracle.trace.observed import Granted
from refmodel.oracle.trace.silence import unless_silent
from refmodel.oracle.trace.stretches import frames_fit, stretch, together
from refmodel.oracle.trace.tables import Key


def ram(k: Knowledge, event: e.Ram) -> None:
    guest.within_52_bits(event.gpa, event.bytes, "bytes")
    if event.bytes:
        first, last = event.gpa >> 12, (event.gpa + event.bytes - 1) >> 12
        with together(k):
            stretch(k, event.vm, first, last, lambda gfn: there(k, (event.vm, gfn), zero=True))


def plug(k: Knowledge, event: e.Plug) -> None:
    there(k, (event.vm, event.gfn), event.zero)


def there(k: Knowledge, key: Key, zero: bool) -> None:
    """There is memory, however it is backed. Where there was some already, it is as it was."""
    entry = k.backing(key)
    if k.state.plugged.find(key) or (entry is not None and entry.backing not in (Backing.ABSENT, Backing.BALLOONED)):
        return
    with k.judging(about(k, key, actor=key[0])):
        k.state.plug(*key)
        counts_as_marked(k, key)
        if not zero:
            k.state.bare_memory[key] = Contents()
        k.tables["p2m"].forget(key)


def unplug(k: Knowledge, event: e.Unplug) -> None:
    gone(k, (event.vm, event.gfn))


def gone(k: Knowledge, key: Key) -> None:
    """There is no memory any more, and whatever stood behind it is the monitor's."""
    with k.judging(about(k, key, actor=key[0])):
        vacate(k, key)
        k.state.p2m[key] = P2mEntry()
        k.state.unplug(*key)
        counts_as_marked(k, key)
        k.state.private[key] = k.state.tracked[key] = False
    is_no_memory(k, key)


def populate(k: Knowledge, event: e.Populate) -> None:
    key = event.vm, event.gfn
    k.is_populated(event.vm)
    given_untold(k, key)
    entry = k.backing(key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        take(k, event.mfn)
        if not (k.state.plugged.find(key) if entry is None else entry.backing == Backing.PROMISED):
            k.state.plug(*key)
        is_new(k, key)
        own(k, key, event.mfn, k.page(*key).copy(), P2mEntry(Backing.MAPPED, event.mfn, unwatched(k, key)))


def promise(k: Knowledge, event: e.Promise) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    with k.judging(about(k, key)):
        if entry is not None and entry.resident:
            vacate(k, key)
        elif entry is not None or k.state.plugged.find(key) is False:
            if entry is not None:
                k.state.drop_copy(*key)
            k.state.plug(*key)
        else:
            copy_is_good_no_more(k, key)
        if key not in k.lent and k.page(*key).is_zero():  # what it held is lost, if it was reported as free
            _is_lost(k, key)
        k.state.p2m[key] = P2mEntry(Backing.PROMISED)


def free(k: Knowledge, event: e.Free) -> None:
    lost = reported_on(k, event.mfn)
    more: dict[str, Any] = {"actor": lost[0][0]} if lost else {}
    with k.judging(about(k, *lost, frames=(event.mfn,), **more)):
        for key in lost:
            k.state.p2m[key] = P2mEntry(Backing.PROMISED)
            _is_lost(k, key)
        k.state.frames[event.mfn] = Frame()


def _is_lost(k: Knowledge, key: Key) -> None:
    """A page that its guest may have reported as free holds zeroes now. The guest relies on nothing that was sent of it before."""
    if is_reported(k, key):
        k.state.destination[key] = Contents()
    k.state.bare_memory[key] = Contents(zeroed=True)


def table_(k: Knowledge, event: e.Table) -> None:
    with k.judging(about(k, frames=(event.mfn,))):
        take(k, event.mfn)
        k.state.frames[event.mfn] = Frame(Use.TABLE, event.vm)


# ---------------------------------------------------------------- contents


def fill(k: Knowledge, event: e.Fill) -> None:
    key = event.vm, event.gfn
    entry, contents = k.backing(key), _arriving(k, event)
    if event.source != "userfaultfd":  # which overwrites nothing
        noticed(k, key)
    with k.judging(about(k, key, frames=(event.mfn,), actor=event.vm)):
        k.state.plugged[key] = True
        if entry is not None:
            k.state.drop_copy(*key)
        copy_is_good_no_more(k, key)
        if event.mfn is not None and (entry is None or not entry.resident or entry.mfn != event.mfn):
            take(k, event.mfn)
            let_go(k, entry)
            if event.source == "userfaultfd":
                is_new(k, key)
            own(k, key, event.mfn, contents, P2mEntry(Backing.MAPPED, event.mfn, unwatched(k, key)))
        else:
            hold(k, key, contents)
            if entry is None or not entry.resident:
                k.tables["p2m"].forget(key)


def _arriving(k: Knowledge, event: e.Fill) -> Contents:
    """What a page holds when contents have arrived. By a fault a page comes as its guest has left it: where it was stored to since
    its contents were saved, or was in the balloon, what was saved is good no more."""
    key = event.vm, event.gfn
    if event.source == "userfaultfd" and k.state.plugged.find(key) is not False:
        left = k.page(*key)
        if left.either is None and not left.is_unknown():
            if event.zero and not left.is_zero():
                why = "it arrives as zeroes, and the guest has left something else there"
                unless_silent(k, deviates(equivalence.memory_is_the_bare_machines, key, why), about(k, key), contents=True)
            return left.copy()
    return Contents(zeroed=event.zero)


def report(k: Knowledge, event: e.Report) -> None:
    """What a page holds may be lost from now on: it is that, or zeroes. Its copy on swap goes with that."""
    key = of_its_vm(k, (event.vm, event.gfn))
    old, entry = k.page(*key), k.backing(key)
    if entry is not None and entry.slot != NOTHING:
        with k.judging(about(k, key, actor=event.vm)):
            lose_sight(k, key)
            copy_is_good_no_more(k, key)
        entry = None
    if entry is None:
        copy_is_good_no_more(k, key)
    zero = old.zeroed and not old.words
    if zero and old.either is not None:
        return
    with k.judging(about(k, key, actor=event.vm)):
        new = Contents(zeroed=zero)
        new.either = old.copy()
        if is_shared(k, key):
            k.state.bare_memory[key] = new  # others hold what is in the frame as before
        else:
            hold(k, key, new)


def convert(k: Knowledge, event: e.Convert) -> None:
    """Of a page that is so already, KVM leaves everything as it is; others may bring it anew."""
    key = event.vm, event.gfn
    k.converting.add(event.vm)
    changes = k.state.private.find(key) is (not event.private)
    if changes and any(reaching.translations(k, page) for page in (key, *k.borrowers.of(key))):
        why = "a translation leads to what it was before"
        unless_silent(k, deviates(contract.derived_entries_lead_where_the_p2m_says, key, why), about(k, key))
    with k.judging(about(k, key, actor=event.vm)):
        lose_sight(k, key)
        copy_is_good_no_more(k, key)
        k.state.bare_memory[key] = Contents()
        k.state.private[key] = event.private


def move(k: Knowledge, event: e.Move) -> None:
    frames_fit(event.mfn, event.pages)
    frames_fit(event.to_mfn, event.pages, "to_mfn")
    if 0 < abs(event.mfn - event.to_mfn) < event.pages:
        raise Inconsistent(
            "to_mfn",
            f"{event.pages} frames from {event.to_mfn:#x} on overlap those from {event.mfn:#x} on; "
            "expected other frames, or an event for each frame in the order of the copies",
        )
    with together(k):
        for by in range(event.pages):
            _move(k, event.mfn + by, event.to_mfn + by)


def _move(k: Knowledge, mfn: int, to: int) -> None:
    """Every page that stands on a frame stands on another, which holds the same."""
    if mfn == to:
        raise Inconsistent("to_mfn", "it is the same frame")
    pages = [
        key
        for key in sorted(reaching.pages_of(k, mfn))
        if (entry := k.backing(key)) is not None and entry.resident and entry.mfn == mfn
    ]
    frame = k.state.frames.find(mfn)
    with k.judging(about(k, frames=(to,))):  # first: the last who shared it may have left it in silence
        take(k, to)
    with k.judging(about(k, *pages, frames=(mfn, to))):
        k.swap_cache.moved(mfn, to)
        if frame is None:
            k.tables["frames"].forget(to)
        else:
            k.state.frames[to] = frame
        k.state.memory[to] = k.state.memory[mfn]
        k.state.frames[mfn] = Frame()
        for key in pages:
            k.state.p2m[key] = attrs.evolve(k.state.p2m[key], mfn=to)


# ---------------------------------------------------------------- VMs


def vm_destroyed(k: Knowledge, event: e.VmDestroyed) -> None:
    """Nothing of a VM's is cached: it has no processors any more. So its translations go without a flush."""
    vm = event.vm
    frames = joining.frames_behind(k, vm)
    with together(k):
        _end_aliases_of(k, vm)
        _end_grants_of(k, vm)
        stretch(k, vm, 0, e.LAST_GFN, lambda gfn: _destroyed(k, (vm, gfn)))
    for slot in k.memory_slots.of_vm(vm):
        del k.memory_slots[vm, slot]
    k.mapped_by.pop(vm, None)
    kept: tuple[dict[Any, Any], ...] = (k.rings, k.processors, k.capabilities, k.emulated, k.allowed)
    k.paused[vm] = False
    for each in kept:
        for key in [key for key in each if key[0] == vm]:
            del each[key]
    for ranges in (k.ranges_mapped, k.ranges_allowed):
        ranges.forget_vm(vm)
    k.protected_untold.pop(vm, None)
    for vms in (k.mapping, k.dma_mapping, k.touchable, k.untouchable, k.obscure, k.populating, k.logged):
        vms.discard(vm)
    k.alike.clear()
    k.balloons.pop(vm, None)
    k.late = {key for key in k.late if key[0] != vm}
    k.lent = {key for key in k.lent if key[0] != vm}
    k.table_pages = {key: level for key, level in k.table_pages.items() if key[0] != vm}
    for name in ("derived", "borrowed", "dma"):
        k.tables[name].unsay(vm, e.LAST_GFN)  # nothing is told of the translations of a VM that gets its number
    joining.join_pages(k, vm)
    joining.join_frames(k, frames)


def _end_aliases_of(k: Knowledge, vm: int) -> None:
    """Nothing translates a VM's aliases any more, nor what it has borrowed."""
    for borrower in [key for key, grant in k.tables["grants"].items() if key[0] == vm and grant.present]:
        with k.judging(about(k, borrower)):
            _translated_no_more(k, borrower)
            k.state.grants[borrower] = Granted()


def _translated_no_more(k: Knowledge, key: Key) -> None:
    for name in ("derived", "borrowed", "dma"):
        k.tables[name][key] = Derived()
    k.lingering[key] = ()


def _end_grants_of(k: Knowledge, vm: int) -> None:
    """Nobody borrows from a VM that is gone: whoever still had a translation of such a page would reach a free frame."""
    for borrower, grant in list(k.tables["grants"].items()):
        if grant.present and grant.vm == vm and borrower[0] != vm:
            with k.judging(about(k, borrower, (vm, grant.gfn))):
                k.state.grants[borrower] = Granted()


def _destroyed(k: Knowledge, key: Key) -> None:
    with k.judging(about(k, key, actor=key[0])):
        _translated_no_more(k, key)
        vacate(k, key)
        k.state.p2m[key] = P2mEntry()
        k.state.unplug(*key)
        k.state.destination[key] = Contents(zeroed=True)
        k.state.private[key] = k.state.tracked[key] = False
        if k.state.grants.find(key) is not None:
            k.state.grants[key] = Granted()
