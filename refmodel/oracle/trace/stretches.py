"""Events about many pages: pages that are alike are judged once.

One page stands for many if whatever an event looks at is the same for them, frame by frame. So a stretch is cut wherever something
begins or ends that the tables say of pages, or of the frames behind them, and pages of which something is kept by itself are judged
by themselves. What an event does to the page that stands for a piece, it does to all of it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from refmodel.monitor.p2m import P2mEntry
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.contents import Contents, Reported
from refmodel.oracle.trace.deviations import Inconsistent
from refmodel.oracle.trace.knowledge import BY_PAGE, Knowledge
from refmodel.oracle.trace.ranges import frames_of, shifted
from refmodel.oracle.trace.tables import Key, Known, Open, Stretch

ZEROES_OR_NOT = ("bare_memory", "destination")


def over(k: Knowledge, event: e.Pages, one: Callable[[Knowledge, e.Pages], None]) -> None:
    """Judge an event for all its pages. ``one`` judges it for one. Raises ``Inconsistent`` if there cannot be such pages."""
    there_are_such(event)
    mfn = getattr(event, "mfn", None)

    def judge(gfn: int) -> None:
        frame = {} if mfn is None else {"mfn": mfn + gfn - event.gfn}
        level = {"level": 1} if hasattr(event, "level") else {}
        one(k, msgspec.structs.replace(event, gfn=gfn, pages=1, bits=None, **frame, **level))

    with together(k):
        for first, last in event.runs():
            stretch(k, event.vm, first, last, judge, None if mfn is None else mfn + first - event.gfn)


def there_are_such(event: e.Pages) -> None:
    """Raises ``Inconsistent`` unless an event says in one way which pages it is about, and they and their frames are numbered."""
    if event.bits is not None and event.pages is not None:
        raise Inconsistent("pages", "is given beside bits; expected one of the two")
    last = max((last for _, last in event.runs()), default=event.gfn)
    if last > e.LAST_GFN:
        raise Inconsistent(
            "bits" if event.pages is None else "pages", f"the last page would be gfn {last:#x}; expected at most {e.LAST_GFN:#x}"
        )
    mfn = getattr(event, "mfn", None)
    if mfn is not None:
        frames_fit(mfn, last - event.gfn + 1)


def frames_fit(mfn: int, number: int, field: str = "mfn") -> None:
    """Raises ``Inconsistent`` unless so many frames from this one on are numbered."""
    if mfn + number - 1 > e.LAST_MFN:
        raise Inconsistent(field, f"the last of {number} frames would be {mfn + number - 1:#x}; expected at most {e.LAST_MFN:#x}")


class together:  # a with-statement's word
    """What is judged within this is one event: undone together, if it is undone."""

    __slots__ = ("k",)

    def __init__(self, k: Knowledge) -> None:
        self.k = k

    def __enter__(self) -> None:
        self.k.journal.clear()
        self.k.joined = True

    def __exit__(self, *_: object) -> None:
        self.k.joined, self.k.begun = False, 0


def stretch(k: Knowledge, vm: int, first: int, last: int, judge: Callable[[int], None], mfn: int | None = None) -> None:
    """Judge something for each page from the first to the last; ``mfn`` is the frame that it says of the first."""
    singles, cuts = _alone_and_cuts(k, vm, first, last, mfn)
    alone = sorted(singles)
    for start, end in _pieces(first, last, [], sorted(cuts)):
        _judge_alike(k, vm, start, end, alone[bisect_left(alone, start) : bisect_right(alone, end)], judge)


def _judge_alike(k: Knowledge, vm: int, first: int, last: int, alone: list[int], judge: Callable[[int], None]) -> None:
    """Judge something for pages that are alike, but for some that are judged by themselves. However many lie between the others,
    these are still one piece."""
    stands = next((gfn for gfn in range(first, last + 1) if gfn - first >= len(alone) or alone[gfn - first] != gfn), None)
    for gfn in alone[: len(alone) if stands is None else stands - first]:
        judge(gfn)
    if stands is None:
        return
    begun, others, behind = len(k.journal), alone[stands - first :], k.backing((vm, stands))
    judge(stands)
    _as_one(k, begun, vm, stands, last, others)
    _looked_at(k, (vm, stands), behind)
    for gfn in others:
        judge(gfn)


def alike(k: Knowledge, vm: int, first: int, last: int, mfn: int | None = None) -> list[tuple[int, int, bool]]:
    """The pages from the first to the last, in pieces of pages that are alike: the first and the last of each, and whether it is a
    page by itself. ``mfn`` is the frame that is to be looked at for the first page."""
    singles, cuts = _alone_and_cuts(k, vm, first, last, mfn)
    pieces = _pieces(first, last, sorted(singles), sorted(cuts))
    return [(start, end, start in singles) for start, end in pieces]


def _pieces(first: int, last: int, singles: list[int], cuts: list[int]) -> Iterator[tuple[int, int]]:
    """The singles, and what lies between them, cut: by their first and last pages."""
    starts = sorted({first, *cuts, *singles, *(single + 1 for single in singles)})
    starts = [start for start in starts if first <= start <= last]
    for start, following in zip(starts, [*starts[1:], last + 1], strict=True):
        yield start, following - 1


def _alone_and_cuts(k: Knowledge, vm: int, first: int, last: int, mfn: int | None) -> tuple[set[int], set[int]]:
    """The pages that are not like their neighbours, and where others begin that are not like those before."""
    singles, cuts = k.mentioned_pages.within(vm, first, last), set[int]()
    singles = singles | {gfn for of, gfn in k.lent if of == vm and first <= gfn <= last}
    frames = set() if mfn is None else {(mfn, first, last - first)}
    for table in _ranged(k):
        assert table.ranges is not None
        for piece in table.ranges.overlapping(vm, first, last):
            low, high = max(first, piece.first), min(last, piece.last)
            cuts |= {low, high + 1}
            frames |= {(frame + low - piece.first, low, high - low) for frame in frames_of(piece.value)}
    for frame, page, more in frames:
        _by_frames(k, frame, frame + more, page - frame, singles, cuts)
    return singles, cuts


def _by_frames(k: Knowledge, first: int, last: int, to_page: int, singles: set[int], cuts: set[int]) -> None:
    """The same for the pages with these frames, in which what is said of frames is not alike."""
    singles |= {frame + to_page for frame in k.mentioned_frames.within(0, first, last)}
    singles |= {frame + to_page for relation in (k.behind, k.reached) for frame in relation.within(first, last)}
    table = k.tables["frames"]
    assert table.ranges is not None
    for piece in table.ranges.overlapping(0, first, last):
        cuts |= {piece.first + to_page, piece.last + 1 + to_page}
    for table in _ranged(k):
        assert table.ranges is not None
        for _, piece, frame in table.ranges.leading_to(first, last):
            cuts |= {frame + to_page, frame + piece.last - piece.first + 1 + to_page}


def _ranged(k: Knowledge) -> Iterator[Known]:
    for table in (*(k.tables[name] for name in BY_PAGE if name in k.tables), k.lingering):
        if table.ranges is not None and table.ranges.pieces:
            yield table


def _as_one(k: Knowledge, begun: int, vm: int, first: int, last: int, alone: list[int]) -> None:
    """What was done to the first page, since then in the journal, was done to all but those that are judged by themselves."""
    stored = {(id(table), key): table for table, key, _ in k.journal[begun:] if type(key) is not Stretch}
    for (_, key), table in stored.items():
        if key == (vm, first) and (table.name in BY_PAGE):
            _spread(k, table, key, vm, _but(table, [(vm, gfn) for gfn in alone], first, last))
        elif table.name == "frames":
            _spread(k, table, key, 0, _but(table, [key + gfn - first for gfn in alone], key, key + last - first))
        elif table.name == "memory":
            _drop(k, table, key)
    k.begun = begun
    k.related()


def _looked_at(k: Knowledge, key: Key, behind: P2mEntry | None) -> None:
    """What was looked at of a page that stands for others (``Knowledge.page``) is not kept of it by itself: it would be what the
    page holds whatever becomes of the others. ``behind`` is what stood behind it before."""
    for entry in (behind, k.backing(key)):
        if entry is not None and entry.resident and dict.pop(k.tables["memory"], entry.mfn, None) is not None:
            k.mentioned_frames.discard(0, entry.mfn)
    if dict.pop(k.pages, key, None) is not None:
        k.mentioned_pages.discard(*key)


def _but(table: Known, alone: Iterable[Any], first: int, last: int) -> list[tuple[int, int]]:
    """Pages, or frames, from the first to the last, but for those of these of which a table has no entry of their own: there a
    piece says what is known of them, and goes on saying it."""
    found = []
    for key in alone:
        if key not in table:
            number = key[1] if type(key) is tuple else key
            found.append((first, number - 1))
            first = number + 1
    return [(start, end) for start, end in [*found, (first, last)] if start <= end]


def _spread(k: Knowledge, table: Known, key: object, whose: int, runs: list[tuple[int, int]]) -> None:
    value, stands = as_of_many(table, table.get(key)), runs[0][0]
    table.opened.discard(key)
    for first, last in runs:
        table.put_range(whose, first, last, shifted(value, first - stands))
    _drop(k, table, key)


def as_of_many(table: Known, value: Any) -> Any:
    """What is kept of many pages together that are as this one."""
    if value is None:
        return Open
    if table.name not in ZEROES_OR_NOT:
        return value
    assert isinstance(value, Contents)
    return Reported(value.either.zeroed) if value.either is not None and value.is_reported else value.zeroed


def _drop(k: Knowledge, table: Known, key: object) -> None:
    """Nothing is kept of it by itself."""
    if key in table:
        k.journal.append((table, key, table[key]))
        dict.pop(table, key)
    assert table.mentioned is not None
    table.mentioned.discard(*(key if isinstance(key, tuple) else (0, key)))
