"""What events about the monitor change of what is known: frames taken, owned and let go, translations that linger."""

from __future__ import annotations

from typing import Any

import attrs

from refmodel.language import NOTHING
from refmodel.laws import accounting, isolation, memory
from refmodel.mmu.contract import Derived
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.oracle.trace import exits, reaching
from refmodel.oracle.trace.contents import Contents, Reported
from refmodel.oracle.trace.knowledge import CALM, About, Knowledge, Lingering, deviates
from refmodel.oracle.trace.silence import may_be_explained, unless_silent
from refmodel.oracle.trace.tables import Key

MANY = 1 << 40
"""References of a frame that was shared before anything was told of it: nobody knows how many. Once no page is known to stand on
it, it may be free; and a page that is the only one known may be the last."""


def about(k: Knowledge, *pages: Key, frames: tuple[int | None, ...] = (), slots: tuple[int, ...] = (), **more: Any) -> About:
    """What an event concerns: pages, frames and slots, and the frames and slots that these pages have now."""
    of_frames, of_slots = {f for f in frames if f is not None}, set(slots)
    p2m = k.tables["p2m"]
    for page in pages:
        if not k.joined and page not in p2m:
            k.by_itself(page)
        entry = k.backing(page)
        if entry is not None:
            if entry.resident:
                of_frames.add(entry.mfn)
            if entry.slot != NOTHING:
                of_slots.add(entry.slot)
    return About(frozenset(pages), frozenset(of_frames), frozenset(of_slots), **more)


def take(k: Knowledge, mfn: int, by: Key | None = None) -> None:
    """A frame is taken from the free ones; or by a page that may be the last that shares it."""
    lost_if_reported(k, mfn)
    k.swap_cache.taken(mfn)
    frame = k.state.frames.find(mfn)
    if frame is None or frame.use == Use.FREE:
        return
    if may_be_left(k, mfn, by):
        k.tables["frames"].forget(mfn)
        return
    whose = f" of vm {frame.vm}, gfn {frame.gfn:#x}" if frame.use == Use.PRIVATE else ""
    found = deviates(accounting.frames_are_conserved, (mfn,), f"it is not free but {frame.use.value}{whose}")
    if not may_be_explained(k, found, About(frames=frozenset({mfn})), judged=True):
        raise found
    k.tables["frames"].forget(mfn)


def by_any_name(k: Knowledge, key: Key) -> set[Key]:
    """A page, and those that borrow it: they stand on its frame with it."""
    return {key, *k.borrowers.of(key)}


def may_be_left(k: Knowledge, mfn: int, but: Key | None = None) -> bool:
    """Whether all who shared a frame, ``but`` for one page, may have left it: nobody knows how many did, or that page is the one
    that is left; and none is known to stand on it."""
    frame = k.state.frames.find(mfn)
    if frame is None or frame.use != Use.SHARED or not reaching.pages_of(k, mfn) <= (set() if but is None else by_any_name(k, but)):
        return False
    return frame.references > MANY // 2 or (but is not None and frame.references == 1)


def own(k: Knowledge, key: Key, mfn: int, contents: Contents, entry: P2mEntry) -> None:
    """A frame becomes a page's own. What is in it is what the page holds, so the two are one."""
    former = k.tables["memory"].get(mfn)
    contents.former = former if former is not contents else None
    if entry.slot == NOTHING:
        copy_is_good_no_more(k, key)
    k.state.frames[mfn] = Frame(Use.PRIVATE, *key, references=1)
    k.state.bare_memory[key] = contents
    k.state.memory[mfn] = contents
    k.state.p2m[key] = entry


def is_new(k: Knowledge, key: Key) -> None:
    """A page comes where its VM had none: there is no translation of it yet, also if no translation is known from before."""
    if k.state.derived.find(key) is None:
        k.state.derived[key] = Derived()


def unwatched(k: Knowledge, key: Key) -> bool:
    """Whether a page that comes to a frame may be written to at once: neither the dirty log nor anybody else waits for it."""
    return k.state.sent.find(key) in CALM and not k.state.tracked.find(key)


def let_go(k: Knowledge, entry: P2mEntry | None) -> None:
    """A page that was there stands on its frame no longer."""
    if entry is not None and entry.resident and k.state.frames.find(entry.mfn) is not None:
        k.state.release(entry.mfn)


def vacate(k: Knowledge, key: Key) -> None:
    """What stands behind a page goes, as far as that is known."""
    copy_is_good_no_more(k, key)
    entry = k.backing(key)
    if entry is not None and entry.resident and k.state.frames.find(entry.mfn) is None:
        k.state.drop_copy(*key)
        k.state.p2m[key] = P2mEntry()
    elif entry is not None:
        k.state.vacate(*key)


def given_untold(k: Knowledge, key: Key, stored_to: bool = False) -> None:
    """A page that was promised may have a frame by now, where nobody tells which frames the VM's pages are given. One that is
    stored to has one, where nobody tells translations. One that was reported as free may have another than before."""
    if may_be_lost(k, key):
        with k.judging(about(k, key)):
            lose_sight(k, key)
    if k.protected_untold:
        _protected_untold(k, key)
    entry = k.backing(key)
    if (
        entry is not None
        and entry.backing == Backing.PROMISED
        and (key[0] not in k.populating or (stored_to and key[0] not in k.mapping))
    ):
        with k.judging(about(k, key)):
            k.tables["p2m"].forget(key)


def _protected_untold(k: Knowledge, key: Key) -> None:
    """A page's translation may have lost the right to write, and nobody told."""
    for name, page in (("derived", key), *(("borrowed", borrower) for borrower in k.borrowers.of(key))):
        table = k.tables[name]
        old = table.told(page)
        if old is not None and old.writable and exits.may_be_protected(k, *page):
            with k.judging(about(k, page)):
                table.forget(page)


def may_be_lost(k: Knowledge, key: Key) -> bool:
    """Whether a page may have lost its frame, and nobody has to tell: its guest has reported it as free and not written to it
    since, and no translation leads there."""
    entry = k.backing(key)
    return is_reported(k, key) and entry is not None and entry.resident and not reaching.translations(k, key)


def reported_on(k: Knowledge, mfn: int) -> list[Key]:
    """The pages that stand on a frame, if their guests have reported all of them as free, so that they may lose the frame."""
    frame = k.tables["frames"].told(mfn)
    if frame is not None and frame.use not in (Use.PRIVATE, Use.SHARED):
        return []
    if any(not is_reported(k, key) for key in k.behind.holders.get(mfn, ())):
        return []
    keys = sorted(reaching.standing_on(k, mfn))
    are_all = frame is None or frame.references <= len(keys) or frame.references > MANY // 2
    return keys if are_all and all(is_reported(k, key) for key in keys) else []


def is_reported(k: Knowledge, key: Key) -> bool:
    """Whether a page's guest has reported it as free, and not written to it since."""
    page = k.pages.get(key)
    if page is None:
        return type(k.tables["bare_memory"].told(key)) is Reported
    return bool(page.is_reported)


def lost_if_reported(k: Knowledge, mfn: int) -> None:
    """A frame is somebody else's now if its pages may have lost it."""
    pages = reported_on(k, mfn)
    if all(not reaching.translations(k, key) for key in pages):
        for key in pages:
            lose_sight(k, key)


def lose_sight(k: Knowledge, key: Key) -> None:
    """A page goes where nobody said: nothing is known of its frame any more, nor of the one that it had."""
    entry = k.backing(key)
    if entry is not None and entry.resident:
        if is_shared(k, key):  # whoever is left alone with it may write to it
            k.tables["memory"].forget(entry.mfn)
        k.tables["frames"].forget(entry.mfn)
    if entry is not None and entry.slot != NOTHING:
        copied_untold(k, key, entry.slot)
    k.tables["p2m"].forget(key)


def copied_untold(k: Knowledge, key: Key, slot: int) -> None:
    """A slot holds the copy of a page of which it is not known where it is, so the copy may become void untold."""
    k.untold_copies[key] = slot
    k.alike.pop(key, None)
    k.look(key)


def copy_is_good_no_more(k: Knowledge, key: Key) -> None:
    """A page that was written back when it was not known where it is may be written to, or goes: its slot may be anybody's."""
    if key in k.may_have_copies:
        k.may_have_copies.discard(key)
        k.look(key)
    slot = k.untold_copies.get(key)
    use = None if slot is None else k.state.slots.find(slot)
    if use is not None and (use.vm, use.gfn) == key:
        k.tables["slots"].forget(slot)


def linger(k: Knowledge, key: Key, old: Derived | None, protects: bool = False) -> None:
    """A translation goes, or loses rights. Where flushes are told, processors may have it cached until one has ended; otherwise
    none has it, nor any that was found in a TLB before."""
    if not k.flushes_told:
        if k.lingering[key]:
            k.lingering[key] = ()
    elif old is None:  # nobody knows which translation there was
        k.lingering[key] = (*k.lingering[key], Lingering(Derived(), k.time, protects))
    elif old.present:
        k.lingering[key] = (*k.lingering[key], Lingering(old, k.time, protects))


def protected(k: Knowledge, key: Key) -> None:
    """Rights were taken from a page. If no translation lets anybody write to it, none that is cached either, no store goes
    unnoticed: the page is read-only, and one whose mark was taken can be sent."""
    if _may_be_written(k, key):
        return
    entry = k.backing(key)
    if entry is not None and entry.writable:
        k.state.p2m[key] = attrs.evolve(entry, writable=False)
    if k.state.sent.find(key) == Sent.TAKEN:
        k.state.sent[key] = Sent.PROTECTED


def _may_be_written(k: Knowledge, key: Key) -> bool:
    """Whether a processor may. What devices may do is another matter: the IOMMU's tables go by rights of their own."""
    return any(each.writable for page in (key, *k.borrowers.of(key)) for each in reaching.processors_translations(k, page))


def let_write(k: Knowledge, key: Key) -> None:
    """A page may be written to from now on: a copy on swap is good no more. Whether it may, the laws say. One that was sent while
    its VM is paused is on its way again: nobody writes to it before the VM runs."""
    copy_is_good_no_more(k, key)
    keep_as_last_sharer(k, key)
    entry = k.backing(key)
    if k.may_be_paused(key[0]) and k.state.sent.find(key) in (Sent.PROTECTED, Sent.THERE):
        k.state.sent[key] = Sent.TAKEN
    if entry is not None and entry.mapped and not entry.writable:
        k.state.drop_copy(*key)
        k.state.p2m[key] = attrs.evolve(k.state.p2m[key], writable=True)


def drop_copy(k: Knowledge, key: Key) -> None:
    """A page may be written to: its copy on swap is good no more."""
    copy_is_good_no_more(k, key)
    entry = k.backing(key)
    if entry is not None and entry.mapped and entry.slot != NOTHING:
        k.state.drop_copy(*key)


def keep_as_last_sharer(k: Knowledge, key: Key) -> None:
    """Whoever is left alone with a frame that was shared has it for its own, said or unsaid."""
    entry = k.backing(key)
    if entry is None or not entry.mapped:
        return
    frame = k.state.frames.find(entry.mfn)
    if frame is not None and frame.use == Use.SHARED and may_be_last(k, key, frame, entry.mfn):
        for other in reaching.pages_of(k, entry.mfn) - by_any_name(k, key):
            lose_sight(k, other)
        may_write = unwatched(k, key) and entry.slot == NOTHING  # a copy on swap is good until the page may be written to
        own(k, key, entry.mfn, k.page(*key).copy(), attrs.evolve(entry, writable=may_write))


def may_be_last(k: Knowledge, key: Key, frame: Frame, mfn: int) -> bool:
    """Whether all others that shared a frame with a page may have left it: those that are known were reported as free."""
    if frame.references == 1:
        return True
    others = reaching.pages_of(k, mfn) - by_any_name(k, key)
    return (frame.references > MANY // 2 or frame.references == 1 + len(others)) and all(may_be_lost(k, other) for other in others)


def rest(k: Knowledge, key: Key) -> None:
    """A page that no known translation lets anybody write to is as good as protected: of one that is not known, nothing is held
    against it."""
    if k.protected_untold:
        _protected_untold(k, key)
    entry = k.backing(key)
    if entry is not None and entry.writable and not _may_be_written(k, key):
        k.state.p2m[key] = attrs.evolve(entry, writable=False)


def as_it_may_be_written(k: Knowledge, key: Key, entry: P2mEntry) -> P2mEntry:
    """Where a page is that leaves its address: read-only if no translation lets anybody write to it there, as was reported."""
    read_only = key[0] in k.mapping and k.state.derived.find(key) is not None and not _may_be_written(k, key)
    return attrs.evolve(entry, writable=entry.writable and not read_only)


def hold(k: Knowledge, key: Key, contents: Contents) -> None:
    """From now on a page holds this, and its frame. What others stand on too does not change."""
    keep_as_last_sharer(k, key)
    entry = k.backing(key)
    k.state.bare_memory[key] = contents
    if entry is None or not entry.resident:
        return
    frame = k.state.frames.find(entry.mfn)
    if frame is not None and frame.use == Use.SHARED and frame.references > 1:
        unless_silent(k, deviates(isolation.shared_frames_hold_what_they_held, (entry.mfn,)), about(k, key))
        return
    k.state.memory[entry.mfn] = contents


def is_shared(k: Knowledge, key: Key) -> bool:
    """Whether a page stands on a frame with others."""
    entry = k.backing(key)
    frame = k.state.frames.find(entry.mfn) if entry is not None and entry.resident else None
    return frame is not None and frame.use == Use.SHARED


def counts_as_marked(k: Knowledge, key: Key) -> None:
    """A page comes or goes: it is sent again, whatever was written to it before."""
    k.late.discard(key)


def is_no_memory(k: Knowledge, key: Key) -> None:
    """A page has gone. That is so whatever was not told before, so that the rest of what was known of it may be forgotten."""
    if k.state.plugged.find(key) is None:
        k.state.plugged[key] = False


def noticed(k: Knowledge, key: Key) -> None:
    """A page is about to be written to, it is not said what. Raises ``Deviates`` if the dirty log would miss that."""
    if k.state.sent.find(key) in (Sent.PROTECTED, Sent.THERE):
        if k.marks_late:
            k.late.add(key)
        else:
            why = "it is written to, and was not marked before"
            unless_silent(k, deviates(memory.unmarked_pages_are_there, key, why), about(k, key))
