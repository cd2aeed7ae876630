"""Pages are written to swap slots, leave their frames and come back."""

from __future__ import annotations

import attrs

from refmodel.language import NOTHING
from refmodel.laws import memory
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.monitor.swapping import SlotUse
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import reaching
from refmodel.oracle.trace.changes import (
    MANY,
    about,
    copied_untold,
    copy_is_good_no_more,
    given_untold,
    is_reported,
    is_shared,
    let_go,
    lose_sight,
    own,
    rest,
    take,
    unwatched,
)
from refmodel.oracle.trace.effects.mechanisms import may_be_shared
from refmodel.oracle.trace.holding import BY_DEVICES
from refmodel.oracle.trace.knowledge import Knowledge, deviates
from refmodel.oracle.trace.silence import unless_silent
from refmodel.oracle.trace.swap_cache import UNNAMED
from refmodel.oracle.trace.tables import Key


def write_back(k: Knowledge, event: e.WriteBack) -> None:
    key = event.vm, event.gfn
    given_untold(k, key)
    with k.judging(about(k, key, slots=(event.slot,))):
        if reaching.devices_may_write(k, key):
            unless_silent(k, deviates(memory.clean_pages_are_their_copies, key, BY_DEVICES), about(k, key))
        entry = k.backing(key)
        if entry is not None and entry.slot <= UNNAMED and k.swap_cache.number(entry.slot) == event.slot:
            rest(k, key)
            return
        if _is_of_its_frame(k, key, event.slot):
            _written_with_others(k, key, event.slot)
            return
        users = [each for each in reaching.users_of(k, event.slot) if each != key]
        others = [each for each in users if not is_reported(k, each)]
        for other in set(users) - set(others):  # its guest needs no copy: the slot may be free
            lose_sight(k, other)
            copy_is_good_no_more(k, other)
        if others and all(_may_share_a_slot(k, key, other) for other in others):
            _written_with_others(k, key, event.slot)
            return
        if others:
            why = f"slot {event.slot} holds the copy of vm {others[0][0]}, gfn {others[0][1]:#x}"
            unless_silent(k, deviates(memory.slots_are_counted, key, why), about(k, key, *others))
            entry = k.backing(key)
        if entry is not None and entry.slot not in (NOTHING, event.slot):
            k.state.drop_copy(*key)
        k.state.slots[event.slot] = SlotUse(True, *key)
        k.state.swap[event.slot] = k.page(*key).copy()
        k.swap_cache.drop(event.slot)
        if is_shared(k, key) and entry is not None:
            _in_the_swap_cache(k, event.slot, entry.mfn)
        if entry is None:
            copied_untold(k, key, event.slot)
        else:
            rest(k, key)
            k.state.p2m[key] = attrs.evolve(k.state.p2m[key], slot=event.slot)


def swap_out(k: Knowledge, event: e.SwapOut) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key, slots=() if event.slot is None else (event.slot,))):
        entry = k.backing(key)
        if entry is None:
            return
        if entry.slot == NOTHING and key in k.may_have_copies:
            let_go(k, entry)
            k.tables["p2m"].forget(key)
            return
        slot = event.slot
        if slot is not None and entry.slot <= UNNAMED and k.swap_cache.number(entry.slot) == slot:
            slot = None
        elif slot is not None and _is_of_its_frame(k, key, slot):
            if entry.slot == NOTHING:
                _written_with_others(k, key, slot)
                entry = k.state.p2m[key]
            slot = None
        elif slot is not None and entry.slot <= UNNAMED:
            entry = _called(k, key, entry, slot)
        if entry.slot == NOTHING or slot not in (None, entry.slot):
            why = _where_it_is(entry.slot)
            unless_silent(k, deviates(memory.swapped_pages_are_the_bare_machines, key, why), about(k, key))
            return
        let_go(k, entry)
        k.state.p2m[key] = P2mEntry(Backing.SWAPPED, slot=entry.slot)


def _where_it_is(slot: int) -> str:
    """What holds what a page holds, where another slot was named."""
    if slot == NOTHING:
        return "no slot holds what it holds now"
    return f"what it holds is in slot {slot}" if slot > UNNAMED else "that slot holds the copy of another page"


def _some_slot(k: Knowledge, key: Key, stands_for: int | None = None) -> int:
    """A slot that holds the copy of a page, it is not known which; or one that stands for a slot that other pages use too."""
    slot = k.swap_cache.unnamed(stands_for, lambda each: (use := k.state.slots.find(each)) is not None and use.used)
    k.state.slots[slot] = SlotUse(True, *key)
    k.state.swap[slot] = k.page(*key).copy()
    return slot


def _slot_that_was_told(k: Knowledge, key: Key) -> int:
    """The slot that holds the copy of a page of which it was not known where it is: the last that it was written to, if any was
    told."""
    slot = k.untold_copies.get(key)
    use = None if slot is None else k.state.slots.find(slot)
    return slot if slot is not None and use == SlotUse(True, *key) else _some_slot(k, key)


def _is_of_its_frame(k: Knowledge, key: Key, slot: int) -> bool:
    """Whether a slot holds the copy of another page that stood on the same frame."""
    entry = k.backing(key)
    is_copy = entry is not None and entry.resident and entry.mfn in k.swap_cache.frames(slot) and is_shared(k, key)
    return is_copy and any(other != key for other in reaching.users_of(k, slot))


def _may_share_a_slot(k: Knowledge, key: Key, other: Key) -> bool:
    """Whether two pages may stand on one frame, or may have done so when the slot was written to, and hold the same."""
    mine, theirs = k.backing(key), k.backing(other)
    if mine is None or theirs is None:
        may_be_one = not any(each is not None and _is_alone_with_its_frame(k, each) for each in (mine, theirs))
    else:
        may_be_one = mine.resident and theirs.resident and mine.mfn == theirs.mfn
    return may_be_one and k.page(*key) == k.page(*other)


def _is_alone_with_its_frame(k: Knowledge, entry: P2mEntry) -> bool:
    """Whether a page is known to have a frame of its own."""
    frame = k.state.frames.find(entry.mfn) if entry.resident else None
    return frame is not None and frame.use == Use.PRIVATE


def _written_with_others(k: Knowledge, key: Key, slot: int) -> None:
    """A page's copy is in a slot that other pages use too."""
    rest(k, key)
    unnamed = _some_slot(k, key, stands_for=slot)
    if k.backing(key) is None:
        copied_untold(k, key, unnamed)
    else:
        k.state.p2m[key] = attrs.evolve(k.state.p2m[key], slot=unnamed)


def _called(k: Knowledge, key: Key, entry: P2mEntry, slot: int) -> P2mEntry:
    """Where a page is when it is told which slot holds its copy, unless that is another's."""
    use = k.state.slots.find(slot)
    if use is not None and use.used:
        return entry
    k.state.slots[slot], k.state.swap[slot] = SlotUse(True, *key), k.state.swap[entry.slot]
    k.state.slots[entry.slot] = SlotUse()
    k.state.p2m[key] = attrs.evolve(entry, slot=slot)
    found: P2mEntry = k.state.p2m[key]
    return found


def swap_in(k: Knowledge, event: e.SwapIn) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        if entry is not None and entry.resident and entry.slot == NOTHING:
            why = "it is in a frame, and no slot holds it"
            unless_silent(k, deviates(memory.swapped_pages_are_the_bare_machines, key, why), about(k, key))
            entry = k.backing(key)
        slot = NOTHING if entry is None else entry.slot
        kept = slot if event.keep else NOTHING
        copied = k.swap_cache.number(k.untold_copies.get(key, slot) if entry is None else slot)
        if slot != kept and slot in k.tables["slots"]:
            k.state.slots[slot] = SlotUse()
        if not event.keep:
            copy_is_good_no_more(k, key)
        if event.mfn is None:
            if kept != NOTHING:
                copied_untold(k, key, kept)
            k.tables["p2m"].forget(key)
            for cached in k.swap_cache.frames(copied):  # it may share that frame again
                k.answers.lost_sight = True
                if _is_stood_on(k, cached) and not _is_written_through(k, cached):
                    _may_be_joined(k, cached)
            return
        is_cached = event.mfn in (k.swap_cache.frames(copied) if copied != NOTHING else k.swap_cache.untold)
        if is_cached and _is_stood_on(k, event.mfn):
            _mapped_from_the_swap_cache(k, key, event.mfn, kept)
            return
        if event.keep and entry is None:
            kept = _slot_that_was_told(k, key)
        if _may_have_been_there(k, key, event, copied):
            _may_be_joined(k, event.mfn)
            k.state.memory[event.mfn] = k.page(*key).copy()
            k.state.p2m[key] = P2mEntry(Backing.MAPPED, event.mfn, writable=False, slot=kept)
            _in_the_swap_cache(k, copied, event.mfn, event.keep)
            return
        take(k, event.mfn)
        let_go(k, entry)
        _in_the_swap_cache(k, copied, event.mfn, event.keep)
        own(
            k,
            key,
            event.mfn,
            k.page(*key).copy(),
            P2mEntry(Backing.MAPPED, event.mfn, writable=kept == NOTHING and unwatched(k, key), slot=kept),
        )


def _may_have_been_there(k: Knowledge, key: Key, event: e.SwapIn, slot: int) -> bool:
    """Whether a frame of which nothing was told may have been in the swap cache before a page came back to it: another page leads
    there, or one that uses the slot may be there, or the slot is not known of a page that keeps its copy. The last page of a slot
    keeps none, and may come back to where the others are."""
    assert event.mfn is not None
    frame = k.state.frames.find(event.mfn)
    if frame is not None and frame.use not in (Use.FREE, Use.SHARED):
        return False
    if slot == NOTHING:
        is_shared_there = frame is not None and frame.use == Use.SHARED
        leads_there = frame is None and bool(reaching.pages_of(k, event.mfn) - {key})
        return not k.closed and (is_shared_there or leads_there or (event.keep and frame is None))
    if frame is not None and frame.use == Use.SHARED:
        return False
    is_untold = any(k.backing(other) is None for other in reaching.users_of(k, slot) if other != key)
    return is_untold or (frame is None and bool(reaching.pages_of(k, event.mfn) - {key}))


def _may_be_joined(k: Knowledge, mfn: int) -> None:
    """Any number of pages may stand on a frame, and nobody writes to it until one has it for its own."""
    for other in reaching.pages_of(k, mfn):
        entry = k.backing(other)
        if entry is not None and entry.writable:
            k.state.p2m[other] = attrs.evolve(entry, writable=False)
    k.state.frames[mfn] = Frame(Use.SHARED, references=MANY)


def _in_the_swap_cache(k: Knowledge, slot: int, mfn: int, keep: bool = True) -> None:
    """A frame is in the swap cache, unless its slot is free. Pages that stand on it are judged by no steps, which know nothing of
    that. Which slot it is may not be known."""
    if slot == NOTHING:
        k.swap_cache.untold.add(mfn)
    elif keep or any(reaching.users_of(k, slot)):
        k.swap_cache.put(slot, mfn)
    for page in reaching.pages_of(k, mfn):
        k.alike.pop(page, None)


def _is_written_through(k: Knowledge, mfn: int) -> bool:
    """Whether a page has a frame for its own: a translation lets its guest write there, so no other page has joined it."""
    return any(each.mfn == mfn and each.writable for key in reaching.pages_of(k, mfn) for each in reaching.translations(k, key))


def _is_stood_on(k: Knowledge, mfn: int) -> bool:
    """Whether pages stand on a frame."""
    frame = k.state.frames.find(mfn)
    return frame is not None and frame.use in (Use.PRIVATE, Use.SHARED) and bool(reaching.pages_of(k, mfn))


def _mapped_from_the_swap_cache(k: Knowledge, key: Key, mfn: int, kept: int) -> None:
    """The slot's frame is still there, since another page that it is the copy of stands on it: the two share it."""
    frame = k.state.frames.find(mfn)
    assert frame is not None
    for other in reaching.pages_of(k, mfn):
        may_be_shared(k, other)
        entry = k.backing(other)
        if entry is not None and entry.writable:
            k.state.p2m[other] = attrs.evolve(entry, writable=False)
    k.state.frames[mfn] = Frame(Use.SHARED, references=frame.references + 1)
    k.state.memory[mfn] = k.page(*key).copy()
    k.state.p2m[key] = P2mEntry(Backing.MAPPED, mfn, writable=False, slot=kept)
