"""A state as a picture: what guests have on the left, what leads to machine frames in the middle, frames on the right.

Nothing here knows a design. Which tables there are, what is a guest's page and what a frame follows from the kinds of their keys
and values: an entry whose key or value names a frame leads to that frame, and gets an arrow. What a
design does not say of a frame is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from refmodel.engines.words import parts, place, shown
from refmodel.language.kinds import EnumKind, Kind, NameKind, PageKind, RecordKind, Scalar, TableKind, WordKind
from refmodel.language.tables import NOTHING

ROW, TITLE, GAP, BETWEEN = 22, 26, 14, 90
"""Pixels: an entry, a table's title, the space between tables, the space between columns for arrows."""
LETTERS = 96
"""Of an entry's text, before it is cut."""
NARROWEST, LETTER = 240, 7.6
"""Pixels: the narrowest column, and a letter of an entry."""
MOST_ROWS = 14
"""Entries of a table that are drawn."""

State = Mapping[str, Mapping[Any, Any]]
"""By table: the entries that are not as at power-on."""


@attrs.frozen
class Box:
    """An entry, or a frame."""

    x: int
    y: int
    text: str
    whole: str
    """The text uncut, for whoever points at it or hears it."""
    marks: str
    """Its classes: ``changed``, ``broken``, ``owner0``, ..."""


@attrs.frozen
class Arrow:
    """From an entry to the frame that it names."""

    path: str
    marks: str
    label: str


@attrs.frozen
class Picture:
    width: int
    height: int
    column: int
    """How wide an entry is."""
    titles: tuple[Box, ...]
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    told: tuple[str, ...]
    """The same as sentences."""


@attrs.frozen
class Marked:
    """What is to stand out: entries by table and key."""

    changed: frozenset[tuple[str, Any]] = frozenset()
    broken: frozenset[tuple[str, Any]] = frozenset()
    only: bool = False
    """Whether a table is left out in which nothing stands out and no entry leads to a frame."""
    fields: frozenset[str] | None = None
    """The fields of entries by which what is broken leads somewhere; None for all."""


class HasTables(Protocol):
    """What a state is a state of."""

    @property
    def tables(self) -> tuple[TableKind, ...]:
        """The kinds of its tables."""

    @property
    def actors(self) -> NameKind:
        """What a frame can belong to: the kind of what whoever acts is."""

    @property
    def arbitrary(self) -> tuple[str, ...]:
        """The tables of which nobody knows what they hold at power-on."""

    @property
    def constant(self) -> frozenset[str]:
        """The tables that hold for ever what they hold at power-on."""


def picture(design: HasTables, state: State, marked: Marked, render: Callable[[Kind, Any], str] = shown) -> Picture:
    """The picture of a state: drawn once to see which columns have entries and how wide they are, and then for good."""
    drawing = _Drawing(design, state, marked, render, NARROWEST, (0, 1, 2))
    drawing.draw()
    longest = max((len(box.text) for box in drawing.boxes), default=0)
    used = tuple(column for column in range(3) if drawing.bottoms[column] > GAP)
    drawing = _Drawing(design, state, marked, render, max(NARROWEST, round(LETTER * longest) + GAP), used)
    drawing.draw()
    return drawing.done()


class _Drawing:
    def __init__(
        self,
        design: HasTables,
        state: State,
        marked: Marked,
        render: Callable[[Kind, Any], str],
        width: int,
        columns: tuple[int, ...],
    ) -> None:
        self.design, self.state, self.marked, self.render = design, state, marked, render
        self.width, self.columns = width, columns
        self.titles: list[Box] = []
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self.told: list[str] = []
        self.bottoms = [GAP, GAP, GAP]
        self.frames: dict[int, Box] = {}

    def draw(self) -> None:
        tables = [(kind, self.state.get(kind.name, {})) for kind in self.design.tables]
        if self.marked.only:
            tables = [(kind, entries) for kind, entries in tables if self._matters(kind, entries)]
        self._frames([(kind, entries) for kind, entries in tables if _is_of_frames(kind)])
        for kind, entries in tables:
            if not _is_of_frames(kind) and entries:
                self._table(kind, entries, 1 if _leads(kind) else 0)

    def done(self) -> Picture:
        number = max(len(self.columns), 1)
        return Picture(
            number * self.width + (number - 1) * BETWEEN + 2 * GAP,
            max(self.bottoms) + GAP,
            self.width,
            tuple(self.titles),
            tuple(self.boxes),
            tuple(self.arrows),
            tuple(self.told),
        )

    def _matters(self, kind: TableKind, entries: Mapping[Any, Any]) -> bool:
        leads = kind.name not in self.design.constant and (_leads(kind) or _is_of_frames(kind))
        return leads or any(self._marks(kind.name, key) for key in entries)

    def _place(self, column: int, height: int) -> tuple[int, int]:
        x, y = GAP + self.columns.index(column) * (self.width + BETWEEN), self.bottoms[column]
        self.bottoms[column] += height
        return x, y

    def _title(self, column: int, text: str) -> None:
        x, y = self._place(column, TITLE)
        self.titles.append(Box(x, y, text, text, ""))

    def _box(self, column: int, text: str, marks: str) -> Box:
        x, y = self._place(column, ROW)
        box = Box(x, y, text if len(text) <= LETTERS else text[: LETTERS - 1] + "…", text, marks)
        self.boxes.append(box)
        return box

    def _frames(self, tables: Sequence[tuple[TableKind, Mapping[Any, Any]]]) -> None:
        """All tables about frames together, a box a frame."""
        named = {
            mfn
            for kind in self.design.tables
            for key, entry in self.state.get(kind.name, {}).items()
            for _, mfn in _named_frames(kind, key, entry)
        }
        mfns = sorted({key for _, entries in tables for key in entries if isinstance(key, int)} | named)
        if not mfns:
            return
        self._title(2, "machine frames")
        for mfn in mfns:
            said = [f"{kind.name} {self.render(kind.value, entries[mfn])}" for kind, entries in tables if mfn in entries]
            words = "; ".join(said) or self._at_power_on()
            text = f"mfn{mfn}: {words}" if words else f"mfn{mfn}"
            found = dict.fromkeys(m for kind, _ in tables for m in self._marks(kind.name, mfn))  # a picture is always the same
            marks = " ".join(filter(None, [self._owner(mfn), *sorted(found)]))
            self.frames[mfn] = self._box(2, text, marks)
            self.told.append(text)
        self.bottoms[2] += GAP

    def _records(self) -> list[TableKind]:
        """The tables that say what each frame is used for: not those of what frames hold."""
        return [
            kind
            for kind in self.design.tables
            if _is_of_frames(kind) and kind.name not in self.design.arbitrary and not isinstance(kind.value, PageKind | WordKind)
        ]

    def _owner(self, mfn: int) -> str:
        """The class that colours a frame by whose it is; none where the design does not say."""
        records = [(kind, self.state.get(kind.name, {}).get(mfn)) for kind in self._records()]
        leaves = [leaf for kind, record in records if record is not None for leaf in _leaves(kind.value, record)]
        owners = {value for _, kind, value in leaves if kind == self.design.actors and value != NOTHING}
        if len(owners) == 1:
            return f"owner{owners.pop() % 4}"
        if any(isinstance(kind, EnumKind) and shown(kind, value).lower() == "shared" for _, kind, value in leaves):
            return "shared"
        return "free" if records and all(record is None for _, record in records) else ""

    def _at_power_on(self) -> str:
        """What is said of a frame whose record is as at power-on: its use, where records have one."""
        records = self._records()
        uses = [
            shown(kind, value)
            for table in records
            for _, kind, value in _leaves(table.value, table.value.default())
            if isinstance(kind, EnumKind)
        ]
        return ", ".join(dict.fromkeys(uses)) or ("as at power-on" if records else "")

    def _table(self, kind: TableKind, entries: Mapping[Any, Any], column: int) -> None:
        self._title(column, kind.name.replace("_", " "))
        keys = sorted(entries, key=lambda key: (not self._marks(kind.name, key), str(key)))
        for key in sorted(keys[:MOST_ROWS], key=str):
            text = f"{place(kind, key)}: {self.render(kind.value, entries[key])}"
            box = self._box(column, text, " ".join(self._marks(kind.name, key)))
            self.told.append(f"{kind.name} {text}")
            for field, mfn in _named_frames(kind, key, entries[key]):
                self._arrow(box, mfn, field)
        if len(keys) > MOST_ROWS:
            self._box(column, f"and {len(keys) - MOST_ROWS:,} more", "")
        self.bottoms[column] += GAP

    def _arrow(self, box: Box, mfn: int, field: str) -> None:
        frame = self.frames.get(mfn)
        if frame is not None:
            x1, y1, x2, y2 = box.x + self.width, box.y + ROW // 2, frame.x, frame.y + ROW // 2
            bend = (x1 + x2) // 2
            path = f"M{x1},{y1} C{bend},{y1} {bend},{y2} {x2 - 6},{y2}"
            offends = self.marked.fields is None or field == "" or field in self.marked.fields
            marks = box.marks if offends else " ".join(mark for mark in box.marks.split() if mark != "broken")
            self.arrows.append(Arrow(path, marks, f"{box.whole} leads to mfn{mfn}"))

    def _marks(self, table: str, key: Any) -> list[str]:
        standing_out = (("changed", self.marked.changed), ("broken", self.marked.broken))
        return [name for name, entries in standing_out if (table, key) in entries]


def _is_of_frames(kind: TableKind) -> bool:
    return [key.sort for key in kind.keys if isinstance(key, NameKind)] == ["Mfn"] and len(kind.keys) == 1


def frame_fields(kind: Kind) -> list[str]:
    """The fields of a record that name frames."""
    fields = kind.fields if isinstance(kind, RecordKind) else ()
    return [name for name, field in fields if isinstance(field, NameKind) and field.sort == "Mfn"]


def _leads(kind: TableKind) -> bool:
    """Whether entries of a table name frames, in their keys or values."""
    value = kind.value.leaves() if not isinstance(kind.value, PageKind) else ()
    return any(isinstance(leaf, NameKind) and leaf.sort == "Mfn" for leaf in (*kind.keys, *(leaf for _, leaf in value)))


def _leaves(kind: Kind, value: Any) -> list[tuple[str, Scalar, Any]]:
    """The scalars of a value: the field that each is in, its kind and what it is. None of a page, which is what a frame holds."""
    if isinstance(kind, PageKind):
        return []
    return [(path, leaf, each) for (path, leaf), each in zip(kind.leaves(), kind.flatten(value), strict=True)]


def _named_frames(kind: TableKind, key: Any, value: Any) -> list[tuple[str, int]]:
    """The frames that an entry names, each once, with the field that names it; no field if its key or the whole value is a name."""
    leaves = [("", part, each) for part, each in parts(kind, key)] + _leaves(kind.value, value)
    found: dict[int, str] = {}
    for path, leaf, each in leaves:
        if isinstance(leaf, NameKind) and leaf.sort == "Mfn" and each != NOTHING:
            found.setdefault(each, path.partition(".")[0])
    return [(field, mfn) for mfn, field in found.items()]
