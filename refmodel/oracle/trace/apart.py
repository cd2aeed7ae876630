"""Events about many pages, by page: what one does to a page is made of nothing that is known of the others."""

from __future__ import annotations

from collections.abc import Iterable

from refmodel.oracle.trace import events as e
from refmodel.oracle.trace import reaching
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.naming import OF_PAGES, Name, Names, Raced, Span

MOST = 256
"""Pages that are told apart; of more, an event is taken as a whole."""
BY_PAGE = (*OF_PAGES, "cached", "touched")


def about(k: Knowledge, event: e.Event, own: Names, other: Names | Raced) -> Names:
    """What an event looks at and changes, of the pages alone that others have to do with; all of it for an event about one page."""
    if not isinstance(event, e.Pages) or (event.pages in (None, 1) and event.bits is None):
        return own
    names = other.names if isinstance(other, Raced) else other.reads | other.writes | other.tells
    spans = other.spans if isinstance(other, Raced) else (*other.spans, *other.looks)
    pages = _pages(k, event, names, spans)
    return own if pages is None else _of_pages(k, event, own, pages, names)


def _pages(k: Knowledge, event: e.Pages, names: Iterable[Name], spans: Iterable[Span]) -> set[int] | None:
    """The pages of the event, by gfn, that these names are of, or that lie in frames which they name; None for too many."""
    runs, mfn = list(event.runs()), getattr(event, "mfn", None)
    found = set[int]()
    for name in names:
        if name[0] == "frame":
            found |= {gfn for vm, gfn in reaching.pages_of(k, name[1]) if vm == event.vm}
            found |= {event.gfn + name[1] - mfn} if mfn is not None else set()
        elif name[0] in BY_PAGE and name[1] == event.vm:
            found.add(name[2] >> 9 if name[0] == "word" else name[2])
    for before, start, end in spans:
        if before[0] not in BY_PAGE:
            return None  # frames: whichever pages they stand behind
        for first, last in runs if before[1] == event.vm else ():
            low, high = max(first, start), min(last, end)
            if high - low >= MOST:
                return None
            found |= set(range(low, high + 1))
    found = {gfn for gfn in found if any(first <= gfn <= last for first, last in runs)}
    return found if len(found) <= MOST else None


def _of_pages(k: Knowledge, event: e.Pages, own: Names, pages: set[int], others: Iterable[Name]) -> Names:
    """What is named of these pages, of the frames that they have or are given, and of what is no page."""
    mfn = getattr(event, "mfn", None)
    keys = [(event.vm, gfn) for gfn in pages]
    frames = {frame for key in keys for frame in (*k.behind.targets.get(key, ()), *reaching.frames_reached(k, key))}
    frames |= set() if mfn is None else {mfn + gfn - event.gfn for gfn in pages}
    frames |= {name[1] for name in others if name[0] == "frame"}
    near = {page for frame in frames for page in reaching.pages_of(k, frame)} | set(keys)

    def is_kept(name: Name) -> bool:
        if name[0] == "frame":
            return name[1] in frames
        if name[0] in BY_PAGE:
            return (name[1], name[2] >> 9 if name[0] == "word" else name[2]) in near
        return True

    within = {
        (*before, gfn)
        for before, first, last in own.spans
        if before[0] in BY_PAGE and before[1] == event.vm
        for gfn in pages
        if first <= gfn <= last
    }
    within |= {
        ("frame", frame) for before, first, last in own.spans if before[0] == "frame" for frame in frames if first <= frame <= last
    }
    return own._replace(
        reads=frozenset(filter(is_kept, own.reads)),
        writes=frozenset(filter(is_kept, own.writes)) | within,
        spans=(),
        tells=frozenset(filter(is_kept, own.tells)),
    )


__all__ = ["about"]
