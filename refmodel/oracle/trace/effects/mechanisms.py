"""Pages are shared, ballooned and granted."""

from __future__ import annotations

import attrs

from refmodel.language import NOTHING
from refmodel.laws import accounting, contract, equivalence, memory
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.ballooned import known_in_balloon
from refmodel.oracle.trace.changes import (
    MANY,
    about,
    copy_is_good_no_more,
    counts_as_marked,
    given_untold,
    hold,
    is_new,
    is_no_memory,
    is_shared,
    keep_as_last_sharer,
    let_go,
    lose_sight,
    lost_if_reported,
    own,
    take,
    unwatched,
    vacate,
)
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Inconsistent
from refmodel.oracle.trace.holding import MAY_STILL_WRITE, STALE
from refmodel.oracle.trace.knowledge import About, Knowledge, deviates
from refmodel.oracle.trace.observed import Granted, private_pages_are_not_shared
from refmodel.oracle.trace.silence import WHERE_PAGES_LIE, unless_silent
from refmodel.oracle.trace.tables import Key


def share(k: Knowledge, event: e.Share) -> None:
    one, other = (event.vm, event.gfn), (event.with_vm, event.with_gfn)
    if one == other:
        raise Inconsistent("with_gfn", "a page cannot be shared with itself")
    for key in (one, other):
        given_untold(k, key)
        if k.state.plugged.find(key) is False:
            why = f"there is no memory at vm {key[0]}, gfn {key[1]:#x}"
            unless_silent(k, deviates(equivalence.memory_is_the_bare_machines, key, why), about(k, one, other))
        if (entry := k.backing(key)) is not None and entry.backing == Backing.SWAPPED:
            why = "it is swapped out, so there is no frame to be shared"
            unless_silent(k, deviates(memory.swapped_pages_are_the_bare_machines, key, why), about(k, one, other))
    with k.judging(about(k, one, other, frames=(event.mfn,))):
        if event.mfn is None:
            _shared_somewhere(k, one, other)
        else:
            _shared_on(k, event.mfn, one, other)
    first, second = k.page(*one), k.page(*other)
    first.unify(second)
    second.unify(first)


def _shared_on(k: Knowledge, mfn: int, one: Key, other: Key) -> None:
    lost_if_reported(k, mfn)
    entries = {key: k.backing(key) for key in (one, other)}
    new = [key for key, entry in entries.items() if entry is None or entry.mfn != mfn]
    frame = k.state.frames.find(mfn)
    if len(new) == 2 and (frame is None or frame.use != Use.SHARED):
        take(k, mfn)  # neither page's: both were copied to a third
    if mfn not in k.state.memory or frame is None or frame.use != Use.SHARED:  # what it held before is gone
        k.state.memory[mfn] = k.page(*next((key for key in entries if key not in new), one)).copy()
    had = frame.references if frame is not None and frame.use in (Use.SHARED, Use.PRIVATE) else 0 if frame is not None else MANY
    k.state.frames[mfn] = Frame(Use.SHARED, references=had + len(new))
    for key in new:
        entry = entries[key]
        let_go(k, entry)
        slot = k.untold_copies.get(key, NOTHING) if entry is None else entry.slot
        if slot != NOTHING:  # its copy is of the frame that it has left, and may be good or void
            k.tables["slots"].forget(slot)
            entries[key] = None if entry is None else attrs.evolve(entry, slot=NOTHING)
            k.may_have_copies.add(key)
            k.alike.pop(key, None)
    for key, entry in entries.items():
        if entry is not None and entry.slot != NOTHING:
            k.swap_cache.put(k.swap_cache.number(entry.slot), mfn)
            k.alike.clear()
        k.state.p2m[key] = attrs.evolve(entry or P2mEntry(), backing=Backing.MAPPED, mfn=mfn, writable=False)


def _shared_somewhere(k: Knowledge, one: Key, other: Key) -> None:
    """It is not said on which frame: nothing is known of any that it may be."""
    first, second = k.page(*one), k.page(*other)
    if first != second:
        why = f"it differs at offset {first.differs_at(second) or 0:#x} from what it is shared with"
        unless_silent(k, deviates(equivalence.memory_is_the_bare_machines, other, why), about(k, one, other), contents=True)
    for key in (one, other):
        may_be_shared(k, key)
    for key in (one, other):
        lose_sight(k, key)
        copy_is_good_no_more(k, key)
    k.answers.lost_sight = True  # each may stand on a frame with pages of which it is known


def may_be_shared(k: Knowledge, key: Key) -> None:
    """Whichever frame two pages share: none of them is private to its VM, and no processor or device may write to it."""
    if k.state.private.find(key):
        unless_silent(k, deviates(private_pages_are_not_shared, key), about(k, key))
    for page in (key, *k.borrowers.of(key)):
        why = _who_may_write(k, page)
        if why:
            unless_silent(k, deviates(contract.no_derived_entry_writes_to_a_shared_frame, page, why), about(k, page))


def _who_may_write(k: Knowledge, key: Key) -> str:
    """By which translation a page may be written to; nothing if by none."""
    dma = k.tables["dma"].told(key)
    if any((told := k.tables[name].told(key)) is not None and told.writable for name in ("derived", "borrowed")):
        return "it is still mapped writable"
    if any(each.derived.writable for each in k.lingering[key]):
        return f"{MAY_STILL_WRITE}: {STALE}"
    return "the IOMMU lets devices write to it" if dma is not None and dma.writable else ""


def break_(k: Knowledge, event: e.Break) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    with k.judging(about(k, key, frames=(event.mfn,))):
        if entry is not None:
            k.state.drop_copy(*key)
        copy_is_good_no_more(k, key)
        if event.mfn is None:
            lose_sight(k, key)
            return
        if entry is None or event.mfn != entry.mfn:
            take(k, event.mfn, by=None if entry is not None else key)
            let_go(k, entry)
        else:
            keep_as_last_sharer(k, key)
        own(k, key, event.mfn, k.page(*key).copy(), P2mEntry(Backing.MAPPED, event.mfn, unwatched(k, key)))


def inflate(k: Knowledge, event: e.Inflate) -> None:
    key = event.vm, event.gfn
    with k.judging(about(k, key, actor=event.vm)):
        vacate(k, key)
        counts_as_marked(k, key)
        if event.touchable:
            k.touchable.add(event.vm)
            k.state.mark(*key)
            k.state.bare_memory[key] = Contents(zeroed=True)
            k.state.destination[key] = Contents()  # the guest relies on nothing that was sent
            k.state.p2m[key] = P2mEntry(Backing.PROMISED)
        else:
            k.untouchable.add(event.vm)
            k.state.p2m[key] = P2mEntry(Backing.BALLOONED)
            k.state.unplug(*key)
    if not event.touchable:
        is_no_memory(k, key)


def deflate(k: Knowledge, event: e.Deflate) -> None:
    key = event.vm, event.gfn
    entry = k.backing(key)
    is_touchable = event.vm in k.touchable and not (entry is not None and entry.backing == Backing.BALLOONED)
    if is_touchable and event.kept:
        with k.judging(about(k, key, actor=event.vm)):
            given_untold(k, key)
            if is_shared(k, key):  # nobody has stored to the frame
                k.state.bare_memory[key] = Contents()
            else:
                hold(k, key, Contents())
        return
    if is_touchable or (event.mfn is None and _may_be_touchable(k, key)):
        return  # it is as the guest left it
    if entry is not None and entry.backing != Backing.BALLOONED:
        why = f"gfn {event.gfn:#x} is not in the balloon but {entry.backing.value}"
        unless_silent(k, deviates(accounting.balloon_sizes_are_exact, (event.vm,), why), about(k, key))
    with k.judging(about(k, key, frames=(event.mfn,), actor=event.vm)):
        k.state.plug(*key)
        counts_as_marked(k, key)
        contents = Contents(zeroed=not event.kept and entry is not None)  # unknown, if its VM may have touched it meanwhile
        if event.mfn is not None:
            take(k, event.mfn)
            is_new(k, key)
            own(k, key, event.mfn, contents, P2mEntry(Backing.MAPPED, event.mfn, unwatched(k, key)))
        else:
            k.tables["p2m"].forget(key)
            k.state.bare_memory[key] = contents


def _may_be_touchable(k: Knowledge, key: Key) -> bool:
    """Whether a page may have been given to the balloon before the trace began, and have come back when its guest touched it."""
    entry = k.backing(key)
    is_there = entry is not None and entry.backing != Backing.BALLOONED and k.state.plugged.find(key) is not False
    return is_there and not k.closed and key[0] not in k.untouchable


def balloon(k: Knowledge, event: e.Balloon) -> None:
    """A balloon has at least the pages that are known to be in it, and no more where none can be that is not known."""
    number, others = known_in_balloon(k, event.vm)
    counts = event.vm not in k.touchable and not k.silent_changes & WHERE_PAGES_LIE and (number > event.actual or not others)
    k.answers.count = lambda table, where: number  # type: ignore[method-assign]
    try:
        with k.judging(About(frozenset({(event.vm, 0)}), counts=counts)):
            k.tables["balloon"].forget(event.vm)  # so that it is judged, the same as before or not
            k.state.balloon[event.vm] = attrs.evolve(k.state.balloon.default, actual=event.actual)
    finally:
        del k.answers.count


def grant_(k: Knowledge, event: e.Grant) -> None:
    borrower = event.to_vm, event.to_gfn
    if borrower == (event.vm, event.gfn):
        raise Inconsistent("to_gfn", "a page is not granted to itself")
    lent, writable = _lent_at_last(k, (event.vm, event.gfn), event.writable)
    if lent == borrower:
        raise Inconsistent("to_gfn", "a page that is borrowed is not granted back to the page that it is")
    with k.judging(about(k, borrower, lent)):
        k.state.grants[borrower] = Granted(True, *lent, writable)
        for further in sorted(k.borrowers.of(borrower)):
            k.state.grants[further] = Granted(True, *lent, writable and k.state.grants[further].writable)
        k.tables["bare_memory"].pop(borrower, None)
    k.page(*lent).plain = False


def _lent_at_last(k: Knowledge, key: Key, writable: bool) -> tuple[Key, bool]:
    """The page that is lent where a borrowed one is, and whether it may be written to."""
    grant = k.state.grants.find(key)
    if grant is None or not grant.present:
        return key, writable
    return (grant.vm, grant.gfn), writable and grant.writable


def alias(k: Knowledge, event: e.Alias) -> None:
    """A page that a guest lends to itself."""
    if event.gfn == event.of_gfn:
        raise Inconsistent("of_gfn", "a page is no alias of itself")
    grant_(k, e.Grant(vm=event.vm, gfn=event.of_gfn, to_vm=event.vm, to_gfn=event.gfn, writable=event.writable))


def revoke(k: Knowledge, event: e.Revoke) -> None:
    borrower = event.to_vm, event.to_gfn
    with k.judging(about(k, borrower, (event.vm, event.gfn))):
        k.state.grants[borrower] = Granted()
