"""Memory slots come, go, move, and are given again with other flags."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import attrs

from refmodel.language import NOTHING
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.monitor.swapping import SlotUse
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import reaching, reported
from refmodel.oracle.trace.changes import (
    about,
    as_it_may_be_written,
    copy_is_good_no_more,
    counts_as_marked,
    given_untold,
    is_no_memory,
    lose_sight,
)
from refmodel.oracle.trace.contents import Contents, Reported
from refmodel.oracle.trace.deviations import Inconsistent
from refmodel.oracle.trace.effects.memory import gone, there
from refmodel.oracle.trace.forgetting import forget_pages, forget_vm
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.ranges import frames_of, shifted
from refmodel.oracle.trace.stretches import alike, stretch, together
from refmodel.oracle.trace.tables import Key


class Behind(NamedTuple):
    """What stands behind a page."""

    entry: P2mEntry
    frame: Frame | None
    """What is known of its frame."""
    slot: SlotUse | None
    """What is known of its slot on swap."""


def slot_add(k: Knowledge, event: e.SlotAdd) -> None:
    """A slot that is there already may be given again, with other flags."""
    _gone_in_silence(k, event)
    old, new = k.memory_slots.get((event.vm, event.slot)), (event.gfn, event.pages, event.readonly)
    if old is not None and old[:2] != new[:2]:
        raise Inconsistent("slot", f"slot {event.slot} is there already; expected slot_delete or slot_move first")
    _overlaps_no_other(k, event, event.pages)
    k.memory_slots[event.vm, event.slot] = new
    k.alike.clear()
    comes_new = old is None and (event.zero or not _may_be_there(k, event.vm))
    if comes_new:
        _slot_there(k, event.vm, event.gfn, event.pages, event.zero)
    if event.readonly and (old is None or not old[2]):
        with together(k):
            stretch(k, event.vm, event.gfn, event.gfn + event.pages - 1, lambda gfn: _read_only_now(k, (event.vm, gfn)))
    if old is None and not comes_new and not forget_pages(k, event.vm, event.gfn, event.gfn + event.pages - 1):
        k.lose()


def _may_be_there(k: Knowledge, vm: int) -> bool:
    """Whether a VM may have slots that nobody told: then one that is added may be one of those, given again with other flags."""
    return not k.closed or vm in k.obscure or "slot_add" in k.silent


GOING = frozenset({"slot_delete", "slot_move", "vm_destroyed"})
"""The kinds of events by which a slot is where it was no longer."""


def _gone_in_silence(k: Knowledge, event: e.SlotAdd) -> None:
    """A slot that would be in the way of another has gone, if that is not told: then nothing is known of the VM."""
    if not k.silent & GOING:
        return
    old = k.memory_slots.get((event.vm, event.slot))
    is_elsewhere = old is not None and old[:2] != (event.gfn, event.pages)
    if is_elsewhere or _is_in_the_way(k, event, event.pages):
        _forget_vm_or_all(k, event.vm)


def _is_in_the_way(k: Knowledge, event: e.SlotAdd | e.SlotMove, number: int) -> bool:
    """Whether another slot lies where so many pages are to lie."""
    return any(slot != event.slot for slot in k.memory_slots.overlapping(event.vm, event.gfn, number))


def _forget_vm_or_all(k: Knowledge, vm: int) -> None:
    if not forget_vm(k, vm):
        k.lose()


def _read_only_now(k: Knowledge, key: Key) -> None:
    """Nobody may write to a page any more: by no translation that is installed or cached, and by no device."""
    given_untold(k, key)
    k.look(key)
    if any(each.writable for each in reaching.translations(k, key)):
        reported.within_its_slot(k, key)


def _overlaps_no_other(k: Knowledge, event: e.SlotAdd | e.SlotMove, number: int) -> None:
    """Raises ``Inconsistent`` unless a slot of so many pages may lie where the event says."""
    last = event.gfn + number - 1
    if last > e.LAST_GFN:
        raise Inconsistent("gfn", f"the slot's last page would be gfn {last:#x}; expected at most {e.LAST_GFN:#x}")
    for slot in k.memory_slots.overlapping(event.vm, event.gfn, number):
        if slot != event.slot:
            raise Inconsistent("gfn", f"the slot would overlap slot {slot}")


def _slot_there(k: Knowledge, vm: int, gfn: int, pages: int, zero: bool) -> None:
    with together(k):
        stretch(k, vm, gfn, gfn + pages - 1, lambda gfn: there(k, (vm, gfn), zero))


def slot_delete(k: Knowledge, event: e.SlotDelete) -> None:
    if (slot := _slot(k, event)) is None:
        return
    gfn, pages, _ = slot
    with together(k):
        stretch(k, event.vm, gfn, gfn + pages - 1, lambda gfn: gone(k, (event.vm, gfn)))
    del k.memory_slots[event.vm, event.slot]
    k.alike.clear()


def slot_move(k: Knowledge, event: e.SlotMove) -> None:
    if (slot := _slot(k, event)) is None:
        return
    gfn, pages, readonly = slot
    if _is_in_the_way(k, event, pages) and k.silent & GOING:
        _forget_vm_or_all(k, event.vm)
        k.memory_slots[event.vm, event.slot] = event.gfn, pages, readonly
        return
    _overlaps_no_other(k, event, pages)
    there_alone = k.mentioned_pages.within(event.vm, gfn, gfn + pages - 1)
    held = {at - gfn: k.page(event.vm, at).copy() for at in sorted(there_alone) if (event.vm, at) in k.pages}
    stood, stretches = _frames_behind(k, event.vm, gfn, gfn + pages - 1), _pieces_behind(k, event.vm, gfn, gfn + pages - 1)
    alike_contents, lacking = _contents(k, event.vm, gfn, gfn + pages - 1), _lacking(k, event.vm, gfn, gfn + pages - 1)
    with together(k):
        stretch(k, event.vm, gfn, gfn + pages - 1, lambda gfn: _left(k, (event.vm, gfn)))
    k.memory_slots[event.vm, event.slot] = event.gfn, pages, readonly
    k.alike.clear()
    _slot_there(k, event.vm, event.gfn, pages, zero=False)
    with together(k):
        for low, high, contents in alike_contents:
            arrives = partial(_arrived_like, k, event.vm, contents)
            stretch(k, event.vm, low - gfn + event.gfn, high - gfn + event.gfn, arrives)
        for by, contents in held.items():
            _arrived(k, (event.vm, event.gfn + by), contents)
    _stand_as_before(k, {(event.vm, event.gfn + by): behind for by, behind in stood.items()})
    with together(k):
        for low, high in lacking:
            stretch(k, event.vm, low - gfn + event.gfn, high - gfn + event.gfn, lambda at: _may_lack_memory(k, (event.vm, at)))
    with together(k):
        for by, last, behind in stretches:
            _pieces_stand_as_before(k, event.vm, event.gfn + by, event.gfn + last, behind)


def _frames_behind(k: Knowledge, vm: int, first: int, last: int) -> dict[int, Behind]:
    """What stands behind the pages from the first to the last, by their distance from the first, as far as something is known of
    each by itself."""
    p2m = k.tables["p2m"]
    alone = {at: p2m.get((vm, at)) for at in sorted(k.mentioned_pages.within(vm, first, last))}
    nowhere = (None, P2mEntry(), P2mEntry(Backing.BALLOONED))
    found = {at - first: entry for at, entry in alone.items() if entry not in nowhere}
    return {
        by: Behind(
            as_it_may_be_written(k, (vm, first + by), entry),
            k.state.frames.find(entry.mfn) if entry.resident else None,
            k.state.slots.find(entry.slot) if entry.slot != NOTHING else None,
        )
        for by, entry in found.items()
    }


def _pieces_behind(k: Knowledge, vm: int, first: int, last: int) -> list[tuple[int, int, Behind]]:
    """What stands behind pages of which many are known as one: the distances of the first and the last of them, and what is behind
    the first."""
    table, found = k.tables["p2m"], list[tuple[int, int, Behind]]()
    assert table.ranges is not None
    for piece in table.ranges.overlapping(vm, first, last):
        low, high = max(first, piece.first), min(last, piece.last)
        leads = frames_of(piece.value)
        mfn = leads[0] + low - piece.first if leads else None
        for start, end, _ in alike(k, vm, low, high, mfn):
            key = vm, start
            entry = None if dict.__contains__(table, key) else k.backing(key)
            if entry is not None and entry.resident:
                behind = Behind(as_it_may_be_written(k, key, entry), k.state.frames.find(entry.mfn), None)
                found.append((start - first, end - first, behind))
    return found


def _pieces_stand_as_before(k: Knowledge, vm: int, first: int, last: int, behind: Behind) -> None:
    """Pages that are alike have moved with the frames behind them; ``behind`` is what stands behind the first."""

    def stands(gfn: int) -> None:
        frame = None if behind.frame is None else shifted(behind.frame, gfn - first)
        _stand_as_before(k, {(vm, gfn): Behind(shifted(behind.entry, gfn - first), frame, None)})

    stretch(k, vm, first, last, stands, behind.entry.mfn)


def _left(k: Knowledge, key: Key) -> None:
    """There is no memory here any more. It lies elsewhere, so neither its frame nor its swap slot is free."""
    entry = k.backing(key)
    with k.judging(about(k, key, actor=key[0])):
        copy_is_good_no_more(k, key)
        lose_sight(k, key)
        if entry is not None and entry.slot != NOTHING:
            k.tables["slots"].forget(entry.slot)
        k.state.p2m[key] = P2mEntry()
        k.state.unplug(*key)
        counts_as_marked(k, key)
        k.state.private[key] = k.state.tracked[key] = False
    is_no_memory(k, key)


def _stand_as_before(k: Knowledge, stood: dict[Key, Behind]) -> None:
    """Pages have moved with what stands behind them. They are judged together, for some may share a frame."""
    frames = tuple(behind.entry.mfn for behind in stood.values() if behind.frame is not None)
    with k.judging(about(k, *sorted(stood), frames=frames)):
        for key, (entry, frame, slot) in stood.items():
            k.state.p2m[key] = entry
            if slot is not None:
                k.state.slots[entry.slot] = attrs.evolve(slot, gfn=key[1])
            if frame is not None and frame.use == Use.PRIVATE:
                k.state.frames[entry.mfn] = attrs.evolve(frame, gfn=key[1])
                k.state.memory[entry.mfn] = k.page(*key)
            elif frame is not None:
                k.state.frames[entry.mfn] = frame


def _contents(k: Knowledge, vm: int, first: int, last: int) -> list[tuple[int, int, Contents]]:
    """The pages from the first to the last that hold zeroes, or were reported as free, as far as that is known of many at once."""
    ranges = k.pages.ranges
    assert ranges is not None
    return [
        (max(first, piece.first), min(last, piece.last), Contents(zeroed=True) if piece.value is True else piece.value.contents())
        for piece in ranges.overlapping(vm, first, last)
        if piece.value is True or isinstance(piece.value, Reported)
    ]


def _arrived_like(k: Knowledge, vm: int, contents: Contents, gfn: int) -> None:
    _arrived(k, (vm, gfn), contents.copy())


def _lacking(k: Knowledge, vm: int, first: int, last: int) -> list[tuple[int, int]]:
    """The pages from the first to the last that have no memory, though their slot is there: in the balloon, or unplugged. Those too
    of which nobody said whether they have some."""
    found = []
    for start, end, _ in alike(k, vm, first, last):
        entry = k.backing((vm, start))
        is_there = k.state.plugged.find((vm, start))
        if is_there is False or (is_there is None if entry is None else entry.backing == Backing.BALLOONED):
            found.append((start, end))
    return found


def _may_lack_memory(k: Knowledge, key: Key) -> None:
    """A page came with its slot, and had no memory there. Whether it has some now nobody said."""
    with k.judging(about(k, key)):
        k.tables["p2m"].forget(key)
        k.tables["plugged"].forget(key)


def _arrived(k: Knowledge, key: Key, contents: Contents) -> None:
    """A page has come from elsewhere, with what it holds. It is not said on which frame it stands."""
    with k.judging(about(k, key, actor=key[0])):
        k.state.bare_memory[key] = contents


def _slot(k: Knowledge, event: e.SlotDelete | e.SlotMove) -> tuple[int, int, bool] | None:
    found = k.memory_slots.get((event.vm, event.slot))
    if found is None and not _may_be_there(k, event.vm):
        raise Inconsistent("slot", f"no slot {event.slot} of vm {event.vm} was added")
    if found is None:  # it was added before the trace began, or in a gap: it may be any memory
        _forget_vm_or_all(k, event.vm)
    return found
