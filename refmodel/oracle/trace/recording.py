"""What an event comes to for all pages and frames of one shape: found out by watching the judge judge it.

The event is judged as ever. What is looked at is noted meanwhile: if that is only what the shape says, the outcome is the same for
all of the shape. What pages hold is not in a shape. So the laws are asked once more for every answer that comparisons of contents
could have had, and have to hold whatever it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from refmodel.language.asking import begin_answering, end_answering
from refmodel.language.kinds import Kind, RecordKind
from refmodel.language.tables import NOTHING
from refmodel.oracle.trace import holding, shapes, watching
from refmodel.oracle.trace.concerned import OUTLINE
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.doing import HELD, Made, OfPage, Step, Template, template
from refmodel.oracle.trace.judging import Judging
from refmodel.oracle.trace.knowledge import Knowledge, Lingering
from refmodel.oracle.trace.shapes import held_by
from refmodel.oracle.trace.tables import Key, Known, Pages, Stretch
from refmodel.oracle.trace.watching import Compared, Watch, WatchedContents, WatchedJudging, WatchedPages, WatchedTable

MOST_ANSWERS = 256
"""Ways in which comparisons of contents may end that are gone through for one event."""
KINDS: dict[str, Kind] = {kind.name: kind.value for kind in OUTLINE.tables}


class Other(Exception):
    """Something was done that no step can do."""


class Recording:
    """Watches what is done to pages and frames."""

    def __init__(self, k: Knowledge, pages: tuple[Key, ...], frames: tuple[int, ...]) -> None:
        self.k, self.pages, self.frames = k, pages, frames
        self.tables: list[Known] = [*k.tables.values(), k.lingering]
        self.holds = False
        """Whether the event is lawful for all of the shape."""
        self.needed: list[tuple[int, ...]] = []
        """Contents that have to be equal, or zeroes, by their places."""
        self.new: list[Contents] = []
        """Contents that came to be held."""

    def __enter__(self) -> None:
        k, pages = self.k, self.pages
        self.watch = watching.begin(Watch())
        self.held = held_by(k, pages, self.frames)
        self.contents = list({id(each): each for each in self.held if each is not None}.values())
        self.looks = [None if page is None else (page.plain, page.shut) for page in self.held[: len(pages)]]
        self.words = [dict(each.words) for each in self.contents]
        self.time, self.cached = k.time, [k.lingering.get(key, ()) for key in pages]
        self.behind, self.reached = ([relation.targets.get(key, ()) for key in pages] for relation in (k.behind, k.reached))
        k.journal.clear()
        k.judging_class = WatchedJudging
        for table in self.tables:
            table.__class__ = WatchedPages if isinstance(table, Pages) else WatchedTable
        for each in self.contents:
            each.__class__ = WatchedContents

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.holds = kind is None and self._whatever_pages_hold()
        finally:
            self.k.judging_class = Judging
            for table in self.tables:
                table.__class__ = Pages if isinstance(table, Pages) else Known
            for each in self.contents:
                each.__class__ = Contents

    def _whatever_pages_hold(self) -> bool:
        """Whether the event is lawful whatever comparisons of contents are answered."""
        watch, k = self.watch, self.k
        if watch.read or k.time - self.time > 1 or not self._is_local():
            return False
        if not watch.answers or watch.about is None:
            return not watch.answers
        if not all(watch.answers.values()) and not self._lawful({}):
            return False
        asked, needed = set(watch.answers), set[Compared]()
        tried, todo = 0, [(which,) for which in asked]
        while todo:
            false = todo.pop()
            tried += 1
            if tried > MOST_ANSWERS:
                return False
            if not self._lawful(dict.fromkeys(false, False)):
                if len(false) > 1:
                    return False
                needed.add(*false)
            new = set(watch.answers) - asked
            asked |= new
            todo += [(which,) for which in new]
            if not todo:
                free = sorted(asked - needed)
                if tried + (1 << len(free)) > MOST_ANSWERS:
                    return False
                if (
                    not all(
                        self._lawful(dict.fromkeys(some, False))
                        for number in range(2, len(free) + 1)
                        for some in itertools.combinations(free, number)
                    )
                    or set(watch.answers) - asked
                ):
                    return False
        return self._is_local() and self._are_held(needed)

    def _lawful(self, given: dict[Compared, bool]) -> bool:
        """Whether the laws hold with these answers."""
        watch, k = self.watch, self.k
        watch.given, watch.answers = given, {}
        begin_answering(k.answers)
        try:
            return watch.about is not None and holding.broken(k, watch.about) is None
        finally:
            end_answering()

    def _are_held(self, needed: set[Compared]) -> bool:
        """Note which contents have to be equal, or zeroes, before the event: whether they were held then."""
        for which in needed:
            places = [self._held_at(self.watch.compare[at]) for at in which]
            if None in places:
                return False
            self.needed.append(tuple(place for place in places if place is not None))
        return True

    def _held_at(self, contents: Contents) -> int | None:
        return next((at for at, each in enumerate(self.held) if each is contents), None)

    def _is_local(self) -> bool:
        """Whether only what the shape says was looked at."""
        return all(
            _is_nothing(key) or key in self.pages or (name in ("frames", "memory") and key in self.frames)
            for name, key in self.watch.seen
        )

    # ------------------------------------------------------------ what came of it

    def step(self) -> Step | None:
        """What the event comes to for all of this shape; None if that cannot be said."""
        if not self.holds or any(each.words != words for each, words in zip(self.contents, self.words, strict=True)):
            return None
        try:
            writes = self._writes()
            moves = any(how is HELD for *_, how in writes)
            pages = tuple(filter(None, (self._of_page(at) for at in range(len(self.pages)))))
            pages_after, frames_after = [self.pages[0]], list[int]()
            shape = shapes.shape_of(self.k, pages_after, frames_after)
            if len(pages_after) > 1 or not set(frames_after) <= set(self.frames):
                shape = None
            places = None if shape is None else self._places(frames_after)
            made = tuple(map(self._made, self.new)) if moves else None
        except (Other, shapes.Singular):
            return None
        return Step(
            tuple(self.needed),
            self.k.time - self.time,
            writes,
            made,
            pages,
            shape,
            None if places == tuple(range(len(self.frames))) else places,
        )

    def _places(self, frames: Sequence[int]) -> tuple[int, ...]:
        if not set(frames) <= set(self.frames):
            raise Other
        return tuple(self.frames.index(mfn) for mfn in frames)

    def _writes(self) -> tuple[tuple[str, int, Any, Any], ...]:
        made = dict[tuple[str, int], tuple[str, int, Any, Any]]()
        for table, key, _ in self.k.journal:
            if table is self.k.lingering:
                continue
            value = None if type(key) is Stretch else table.get(key)
            by_frame = table.name in ("frames", "memory")
            if value is None or key not in (self.frames if by_frame else self.pages):
                raise Other
            place = -1 - self.frames.index(key) if by_frame else self.pages.index(key)
            made[table.name, place] = (table.name, place, *self._how(KINDS[table.name], value))
        now, pages, frames = held_by(self.k, self.pages, self.frames), range(len(self.pages)), range(len(self.frames))
        names = [
            *(("bare_memory", at) for at in pages),
            *(("destination", at) for at in pages),
            *(("memory", -1 - at) for at in frames),
        ]
        if any(one is not other and name not in made for name, one, other in zip(names, now, self.held, strict=True)):
            raise Other  # it was put there without a word in the journal
        return tuple(made.values())

    def _how(self, kind: Kind, value: Any) -> tuple[Any, Any]:
        """How a value is made, of pages and frames."""
        return (self._place_of(value), HELD) if isinstance(value, Contents) else self._template(kind, value)

    def _place_of(self, value: Contents, new: bool = True) -> int:
        for at, each in enumerate([*self.held, *self.new]):
            if each is value:
                return at
        if not new:
            raise Other
        self.new.append(value)
        return len(self.held) + len(self.new) - 1

    def _made(self, new: Contents) -> Made:
        source = self.watch.source(new)
        if new.words != ({} if source is None else source.words) or (source is not None and new.zeroed != source.zeroed):
            raise Other
        either = former = None
        if new.either is not None and (source is None or new.either is not source.either):
            copied = self.watch.source(new.either)
            if copied is None or not self.watch.is_copy(new.either, copied):
                raise Other
            either = self._place_of(copied, new=False)
        if new.former is not None and (source is None or new.former is not source.former):
            former = self._place_of(new.former, new=False)
            if former >= len(self.held):
                raise Other
        forgets = source is not None and source.former is not None and new.former is None
        return Made(None if source is None else self._place_of(source, new=False), new.zeroed, either, former, forgets)

    def _template(self, kind: Kind, value: Any) -> tuple[Any, Template | None]:
        """The value itself if it has no names, or how it is made."""
        if not isinstance(kind, RecordKind):
            return value, None
        parts, page = list[tuple[str, Any]](), [NOTHING, NOTHING]
        for field, of_field in kind.fields:
            sort, part = getattr(of_field, "sort", ""), getattr(value, field)
            if part == NOTHING or not sort:
                parts.append(("", part))
            elif sort == "Mfn":
                parts.append((sort, self._places([part])[0]))
            else:
                page[sort == "Gfn"] = part
                parts.append((sort, None))
        if page[0] != NOTHING:
            at, _ = shapes.place_among(page, list(self.pages))
            parts = [(sort, at if part is None and sort else part) for sort, part in parts]
        return (None, template(kind.cls, tuple(parts))) if any(sort for sort, _ in parts) else (value, None)

    def _of_page(self, at: int) -> OfPage | None:
        k, key = self.k, self.pages[at]
        behind, reached = (
            None if now == before else self._places(now)
            for now, before in (
                (k.behind.targets.get(key, ()), self.behind[at]),
                (k.reached.targets.get(key, ()), self.reached[at]),
            )
        )
        cached, page = self._cached(at), k.pages.get(key)
        looks = None if page is None else (page.plain, page.shut)
        if cached is None and behind is None and reached is None and page is self.held[at] and looks == self.looks[at]:
            return None
        return OfPage(at, cached, behind, reached, looks)

    def _cached(self, place: int) -> tuple[tuple[int, ...], tuple[tuple[Template, bool], ...]] | None:
        """What became of the translations of a page that may be cached."""
        now, before = self.k.lingering.get(self.pages[place], ()), self.cached[place]
        if now is before or (not now and not before):
            return None
        kept, added = list[int](), list[tuple[Template, bool]]()
        for each in now:
            at = next((at for at, old in enumerate(before) if old is each), None)
            if at is not None and not added:
                kept.append(at)
            elif at is None and isinstance(each, Lingering) and each.since == self.k.time:
                _, how = self._template(KINDS["derived"], each.derived)
                if how is None:
                    raise Other
                added.append((how, each.protects))
            else:
                raise Other
        return tuple(kept), tuple(added)


def _is_nothing(key: Any) -> bool:
    """Whether a key names nothing: such an entry is always the default."""
    return bool(key == NOTHING or (isinstance(key, tuple) and NOTHING in key))
