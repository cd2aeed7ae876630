"""The shape of a neighbourhood: what is known of a few pages and of the frames that they have to do with, without their names.

Neighbourhoods of one shape are alike: an event about them, and the laws that are asked after it, come to the same for each. What
pages hold is no part of a shape; which of them hold one and the same is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from refmodel.language.kinds import Kind, NameKind, RecordKind, TableKind
from refmodel.language.tables import NOTHING
from refmodel.oracle.trace import reaching
from refmodel.oracle.trace.concerned import OUTLINE
from refmodel.oracle.trace.contents import Contents, Reported
from refmodel.oracle.trace.exits import may_be_protected
from refmodel.oracle.trace.tables import Key, Known, Nowhere, Open

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge

Shape: TypeAlias = tuple[Any, ...]
CONTENTS = ("memory", "bare_memory", "swap", "destination")
"""Tables whose values are what pages hold."""
MOST_CACHED = 4
"""Translations of a page that were taken away and may be cached, in a shape."""
MOST_PAGES, MOST_FRAMES = 3, 4
"""Pages and frames of a neighbourhood."""


class Singular(Exception):
    """There is no shape: what events come to depends on more than the neighbourhood."""


def _is_by_page(kind: TableKind) -> bool:
    return [key.sort for key in kind.keys if isinstance(key, NameKind)] == ["Vm", "Gfn"] and len(kind.keys) == 2


Nameless: TypeAlias = Callable[[Any, list[Key], list[int]], Any]
"""Of a value, pages and frames: the value, with the place of each frame and page that it names. Frames are added; raises
``Singular`` if it names anything else."""


@functools.cache
def nameless(kind: Kind) -> Nameless | None:
    """How names are left out of values of a kind; None if such values have none."""
    if not isinstance(kind, RecordKind):
        return _name if isinstance(kind, NameKind) else None
    sorts = tuple((field, of_field.sort if isinstance(of_field, NameKind) else "") for field, of_field in kind.fields)
    if not any(sort for _, sort in sorts):
        return None

    def of_record(value: Any, pages: list[Key], frames: list[int]) -> Any:
        found, page = [], [NOTHING, NOTHING]
        for field, sort in sorts:
            part = getattr(value, field)
            if sort == "" or part == NOTHING:
                found.append(part)
            elif sort == "Mfn":
                if part not in frames:
                    frames.append(part)
                found.append(frames.index(part))
            elif sort in ("Vm", "Gfn"):
                page[sort == "Gfn"] = part
            else:
                raise Singular
        if page[0] != NOTHING:
            found.append(place_among(page, pages))
        return tuple(found)

    return of_record


def _name(value: Any, pages: list[Key], frames: list[int]) -> Any:
    if value != NOTHING:
        raise Singular
    return value


def place_among(page: list[int], pages: list[Key]) -> Any:
    """The place of a page, or of a VM: which of the pages is one of its."""
    for at, (vm, gfn) in enumerate(pages):
        if vm == page[0] and page[1] in (NOTHING, gfn):
            return at, page[1] == NOTHING
    raise Singular


BY_PAGE: tuple[tuple[str, Nameless | None], ...] = tuple(
    (kind.name, nameless(kind.value)) for kind in OUTLINE.tables if _is_by_page(kind) and kind.name not in CONTENTS
)
"""The tables that a shape has an entry of for each page."""


def _of_kind(table: str) -> Nameless:
    found = nameless(OUTLINE.table(table).value)
    assert found is not None
    return found


_derived, _frame = _of_kind("derived"), _of_kind("frames")


def as_kept(table: Known, key: Any) -> Any:
    """What a table says of an entry: a value, ``Open`` if it was forgotten, ``Nowhere`` if nobody said anything of it."""
    value = table.get(key)
    if value is None:
        value = table.at_hand.get(key)
        if value is None:
            value = Open if key in table.opened else table._in_a_piece(key)
    return value


def shape_of(k: Knowledge, pages: list[Key], frames: list[int]) -> Shape | None:
    """The shape of these pages and frames, and of those that they have to do with, which are added; None if there is none."""
    said: list[Any] = []
    at = of_frames = 0
    try:
        while at < len(pages) or of_frames < len(frames):
            if at < len(pages):
                _of_page(k, pages, frames, at, said)
                at += 1
            else:
                _neighbours(k, frames[of_frames], pages)
                of_frames += 1
        for mfn in frames:
            kept = as_kept(k.tables["frames"], mfn)
            said.append(kept if kept is Open or kept is Nowhere else _frame(kept, pages, frames))
    except Singular:
        return None
    if len(frames) > MOST_FRAMES or k.swap_cache.holds(frames):
        return None
    return (*said, len(frames), _alike(k, pages, frames))


def _of_page(k: Knowledge, pages: list[Key], frames: list[int], at: int, said: list[Any]) -> None:
    """Append what the tables say of a page."""
    key = pages[at]
    if key in k.borrowers.holders or key in k.table_pages or key in k.lent:
        raise Singular
    if k.protected_untold and may_be_protected(k, *key):
        raise Singular
    for table, stored, at_hand, names in k.by_page:
        value = stored(key)
        if value is None:
            value = at_hand(key)
            if value is None:  # as by ``as_kept``
                value = Open if key in table.opened else table._in_a_piece(key)
        if names is None or value is Open or value is Nowhere:
            said.append(value)
        else:
            said.append(names(value, pages, frames))
    if (grant := k.tables["grants"].get(key)) is not None and grant.present:
        raise Singular
    cached = k.lingering.get(key)
    if cached is None:
        if as_kept(k.lingering, key) is not Nowhere:
            raise Singular  # it is said of many pages at once
    elif len(cached) > MOST_CACHED:
        raise Singular
    said.append(tuple([(_derived(each.derived, pages, frames), each.protects) for each in cached or ()]))
    page = k.pages.get(key)
    if page is None:
        kept = as_kept(k.pages, key)
        if type(kept) is Reported:
            raise Singular
        said.append(kept)
    else:
        said.append((page.plain, page.shut, page.is_reported))
    if (copy := k.tables["destination"].get(key)) is None:
        said.append(as_kept(k.tables["destination"], key))
    vm = key[0]
    said.append(
        (
            vm in k.mapping,
            vm in k.dma_mapping,
            bool(k.memory_slots) and k.is_read_only(key),
            copy is None,
            k.may_be_paused(vm),
            next(place for place, other in enumerate(pages) if other[0] == vm),
        )
    )


def _neighbours(k: Knowledge, mfn: int, pages: list[Key]) -> None:
    """Add the pages that lead to a frame. Raises ``Singular`` if there are too many."""
    if max(len(table.holders.get(mfn, ())) for table in (k.behind, k.reached)) > MOST_PAGES:
        raise Singular
    new = reaching.pages_of(k, mfn).difference(pages)
    if new:
        pages += sorted(new)
        if len(pages) > MOST_PAGES:
            raise Singular


def _alike(k: Knowledge, pages: list[Key], frames: list[int]) -> tuple[Any, ...]:
    """Of what pages, their copies and frames hold: which are one, by the place of the first."""
    held = held_by(k, pages, frames)
    if len(held) == 3:  # nearly always: a page and its frame
        one, copy, other = held
        return (
            one is None,
            copy is not None and copy is one,
            other is None,
            other is one or (other is copy and 2),
            frames and (frames[0] in k.tables["memory"].opened),
        )
    opened = k.tables["memory"].opened
    return (
        *(None if each is None else next(at for at, other in enumerate(held) if other is each) for each in held),
        *(mfn in opened for mfn in frames),
    )


def held_by(k: Knowledge, pages: list[Key] | tuple[Key, ...], frames: list[int] | tuple[int, ...]) -> list[Contents | None]:
    """What pages hold, then the copies of them on the other machine, then what frames hold."""
    copies, memory = k.tables["destination"], k.tables["memory"]
    if len(pages) == len(frames) == 1:  # nearly always
        return [k.pages.get(pages[0]), copies.get(pages[0]), memory.get(frames[0])]
    return [*[k.pages.get(key) for key in pages], *[copies.get(key) for key in pages], *[memory.get(mfn) for mfn in frames]]
