"""What events that are not told may have changed.

Most kinds may have moved any page anywhere. Two leave almost everything where it is: a copy on write moves only a page that may be
shared, and a device's write changes what a page holds. It moves a page only if that is promised, the last on a shared frame, or has
a copy on swap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refmodel.language.tables import NOTHING
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.oracle.trace import reaching
from refmodel.oracle.trace.concerned import EVERY_TABLE, names_in, tables_of
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.trace.holding import About, wider
from refmodel.oracle.trace.tables import Key, Known, Open, Stretch

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge

NARROW = frozenset({"break", "dma_write"})
"""Kinds of events that move few pages."""
CONTENTS = frozenset({"memory", "bare_memory", "swap", "destination"})
"""Tables that say what pages hold, or their copies."""
WHERE_PAGES_LIE = frozenset({"p2m", "frames", "plugged", "grants", "slots", "private"})
"""The tables that say where pages lie, and whose they are: whatever else is known of a page is known of it there."""
REACHED = frozenset({"derived", "borrowed", "dma", "lingering"})
"""The tables that say who reaches pages: they decide whether a page may be written to, too."""


def forget(k: Knowledge, about: About) -> None:
    """Things may have happened to all this that were not told."""
    k.answers.lost_sight = True
    frames = set(about.frames)
    for key in about.pages:
        entry = k.tables["p2m"].told(key)
        frames |= {entry.mfn} if entry is not None and entry.resident else set()
        _copied_untold(k, key)
        for name in ("p2m", "derived", "borrowed", "dma", "sent", "tracked", "plugged"):
            k.tables[name].forget(key)
        if "lingering" in k.silent_changes and k.lingering[key]:
            k.lingering[key] = ()  # it may have been flushed
    for mfn in frames:
        k.tables["frames"].forget(mfn)
        for key in reaching.pages_of(k, mfn):
            _copied_untold(k, key)
            k.tables["p2m"].forget(key)
            k.tables["derived"].forget(key)
            k.lingering[key] = ()
    if k.silent_fills:
        for mfn in frames:
            k.tables["memory"].forget(mfn)
        for slot in about.slots:
            k.tables["swap"].forget(slot)
        for key in about.pages:
            _forget_contents(k, key)
    k.related()


def _copied_untold(k: Knowledge, key: Key) -> None:
    """It is about to be forgotten where a page is: its slot, if it has one, may become free untold."""
    entry = k.tables["p2m"].told(key)
    if entry is not None and entry.slot != NOTHING:
        k.untold_copies[key] = entry.slot
        k.alike.pop(key, None)


def _forget_contents(k: Knowledge, key: Key) -> None:
    """Nothing is known any more of what a page holds, nor of copies of it."""
    entry, new = k.backing(key), Contents()
    k.tables["destination"].forget(key)
    k.tables["bare_memory"][key] = new
    if entry is not None and entry.slot != NOTHING:
        k.tables["swap"].forget(entry.slot)
    if entry is not None and entry.resident:
        frame = k.tables["frames"].find(entry.mfn)
        k.tables["memory"][entry.mfn] = new if frame is not None and frame.use == Use.PRIVATE else Contents()


def unless_silent(k: Knowledge, found: Deviates, about: About, contents: bool = False) -> None:
    """Raise this, unless something that was not told may explain it: then what it concerns is open. ``contents``: it is about
    what pages hold."""
    if not opens(k, found, about, contents):
        raise found


def opens(k: Knowledge, found: Deviates, about: About, contents: bool = False, judged: bool = False) -> bool:
    """Whether something that was not told may explain a deviation: then what it concerns is open. ``judged``: the event has
    changed the state."""
    if contents and not k.silent_fills:
        return False
    if (contents and not k.silent_moves_few) or may_be_explained(k, found, about, judged):
        forget(k, about)
    elif k.silent_moves_few and k.silent_fills and (contents or _may_have_filled(found.law)):
        for key in about.pages:
            _forget_contents(k, key)
        k.related()
    else:
        return False
    return True


def may_be_explained(k: Knowledge, found: Deviates, about: About, judged: bool = False) -> bool:
    """Whether pages may be elsewhere than they were told to be, so that a law is broken by that: something that was not told
    changes a table that the law looks at. What changes where pages lie may explain any; what only looks explains none."""
    if k.silent_moves_few:
        return _may_have_moved_pages(k, found, about, judged)
    if k.silent_changes & REACHED and "writable" in names_in(found.law):
        return True
    return bool(k.silent_changes & WHERE_PAGES_LIE) or bool(k.silent_changes & tables_of(found.law))


def _may_have_filled(law: str) -> bool:
    """Whether a law is about what pages hold, so that writes by devices may explain that it is broken."""
    tables = tables_of(law)
    return tables != EVERY_TABLE and bool(tables & CONTENTS)


def _may_have_moved_pages(k: Knowledge, found: Deviates, about: About, judged: bool) -> bool:
    """Whether a deviation concerns pages that may be elsewhere. ``judged``: the event has changed the state."""
    about = _concerned(k, found, about)
    return (
        any(_may_have_moved(k, key) for key in about.pages)
        or ("slots" in tables_of(found.law) and any(_has_copy(k, key) for key in about.pages))
        or any(_may_be_shared(k.state.frames.find(mfn)) for mfn in about.frames)
        or any(k.swap_cache.frames(slot) for slot in about.slots)
        or ("gfn" not in dict(found.names) and any(_may_be_taken(k, mfn) for mfn in about.frames))
        or (judged and any(_had_moved(k, about, *change) for change in k.recent()))
    )


def _may_have_moved(k: Knowledge, key: Key) -> bool:
    """Whether a page may be elsewhere than it was told to be. One of which it is not known which slot has its copy was shared."""
    entry = k.backing(key)
    if entry is None or entry.backing == Backing.PROMISED or entry.slot < NOTHING:
        return True
    return entry.resident and _may_be_shared(k.state.frames.find(entry.mfn))


def _has_copy(k: Knowledge, key: Key) -> bool:
    """Whether a page is in a frame and has a copy on swap, which is good until it is written to."""
    entry = k.backing(key)
    return entry is not None and entry.mapped and entry.slot != NOTHING


def _may_be_shared(frame: Frame | None) -> bool:
    return frame is None or frame.use == Use.SHARED


def _may_be_taken(k: Knowledge, mfn: int) -> bool:
    """Whether a page that was shared may have got this frame, which was free."""
    frame = k.state.frames.find(mfn)
    return frame is not None and frame.use == Use.FREE and (not k.closed or any(map(_may_be_shared, k.tables["frames"].values())))


def _concerned(k: Knowledge, found: Deviates, about: About) -> About:
    """What a deviation concerns: what its event does, the pages of its frames, and those that are borrowed."""
    named = dict(found.names)
    frames = about.frames | ({named["mfn"]} if "mfn" in named else set())
    slots = about.slots | ({named["slot"]} if "slot" in named else set())
    pages = set(about.pages) | ({(named["vm"], named["gfn"])} if {"vm", "gfn"} <= named.keys() else set())
    about = wider(k, About(frozenset(pages), frames, slots))
    pages = {*about.pages, *(key for mfn in about.frames for key in reaching.pages_of(k, mfn))}
    pages |= {(use.vm, use.gfn) for slot in about.slots if (use := k.state.slots.find(slot)) is not None}
    pages |= {owner for key in tuple(pages) for owner in k.borrowers.targets.get(key, ())}
    return About(frozenset(pages), about.frames, about.slots)


def _had_moved(k: Knowledge, about: About, table: Known, key: Any, old: Any) -> bool:
    """Whether an entry that the event changed was of a page or frame that may have moved before the event."""
    if table.name not in ("p2m", "frames"):
        return False
    if type(key) is Stretch:
        return any(_was_unsure(piece.value) for piece in key.undo[3])
    if key not in about.pages and key not in about.frames:
        return False
    return _was_unsure(old) if old is not Open else not k.closed or key in table.opened


def _was_unsure(value: Any) -> bool:
    if isinstance(value, P2mEntry):
        return value.backing == Backing.PROMISED
    return value is Open or (isinstance(value, Frame) and _may_be_shared(value))
