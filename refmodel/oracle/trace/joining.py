"""Pages and frames that were told of by themselves, and of which nothing is known any more but what is known of many: they are
kept together with those around them again. Otherwise each page that an event was ever about would be judged by itself for good,
also when its VM is long gone and others have its number and its frames.
"""

from __future__ import annotations

from collections.abc import Iterable

from refmodel.monitor.frames import Use
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.knowledge import BY_PAGE, Knowledge
from refmodel.oracle.trace.stretches import as_of_many
from refmodel.oracle.trace.tables import Key, Known


def frames_behind(k: Knowledge, vm: int) -> set[int]:
    """The frames of those of a VM's pages that are kept by themselves."""
    pages = k.mentioned_pages.within(vm, 0, e.LAST_GFN)
    return {mfn for gfn in pages for relation in (k.behind, k.reached) for mfn in relation.targets.get((vm, gfn), ())}


def join_pages(k: Knowledge, vm: int) -> None:
    """Pages of a VM that is gone are like those around them."""
    tables = [*(k.tables[name] for name in BY_PAGE if name in k.tables), k.lingering]
    for gfn in sorted(k.mentioned_pages.within(vm, 0, e.LAST_GFN)):
        key = vm, gfn
        joined = [_join(table, key, vm, gfn) for table in tables]
        if all(joined) and not _is_named_elsewhere(k, key):
            k.mentioned_pages.discard(vm, gfn)


def join_frames(k: Knowledge, frames: Iterable[int]) -> None:
    """Those of these that are free, and in which nobody has left anything, are like those around them."""
    for mfn in sorted(frames):
        frame, left = k.tables["frames"].told(mfn), k.tables["memory"].get(mfn)
        is_free = frame is not None and frame.use == Use.FREE and not k.behind.of(mfn) and not k.reached.of(mfn)
        if is_free and mfn not in k.tables["memory"].opened and (left is None or _is_bare(left)):
            dict.pop(k.tables["memory"], mfn, None)
            if _join(k.tables["frames"], mfn, 0, mfn):
                k.mentioned_frames.discard(0, mfn)


def _is_named_elsewhere(k: Knowledge, key: Key) -> bool:
    """Whether a page is kept in mind for more than what the tables say of it."""
    return (
        key in k.untold_copies
        or key in k.may_have_copies
        or key in k.lent
        or key in k.late
        or key in k.table_pages
        or any(key in relation.targets or key in relation.holders for relation in (k.copies, k.borrowers, k.behind, k.reached))
    )


def _is_bare(contents: Contents) -> bool:
    return not contents.words and contents.either is None


def _join(table: Known, key: object, whose: int, number: int) -> bool:
    """What a table says of a page, or of a frame, is said by a piece from now on; False if no piece can say it."""
    if key not in table:
        return key not in table.opened
    value = table[key]
    if isinstance(value, Contents) and (value.words or value.either is not None):
        return False
    assert table.ranges is not None
    due, piece = as_of_many(table, value), table.ranges.find(whose, number)
    dict.pop(table, key)
    table.opened.discard(key)
    if piece is None or type(piece.value) is not type(due) or piece.at(number) != due:
        table.at_hand.clear()
        table.ranges.put(whose, number, number, due)  # not in the journal: what is known stays as it is
    return True
