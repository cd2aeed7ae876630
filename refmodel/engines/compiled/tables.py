"""Tables and pages of a state that is packed in bytes, and of which only the layout is known."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from refmodel.engines.compiled.nodes import Node
from refmodel.engines.layout import NATURAL_LIMIT, domain, stored_leaves
from refmodel.language.joining import Impure
from refmodel.language.kinds import EnumKind, FlagKind, NameKind, NaturalKind, PageKind, Scalar, TableKind, WordKind
from refmodel.language.opaque import opaque, term_of
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING
from refmodel.language.unsound import Unsound

if TYPE_CHECKING:
    from refmodel.engines.compiled.reading import Tracing


@attrs.frozen
class Store:
    """An entry is made this, where a condition holds."""

    table: Table | Slots
    key: tuple[Node, ...]
    where: Node
    rows: tuple[Node, ...]


def scalar_range(leaf: Scalar, geometry: Geometry) -> tuple[int, int]:
    """Between which codes a scalar of a state lies."""
    if isinstance(leaf, FlagKind):
        return 0, 1
    if isinstance(leaf, EnumKind):
        return 0, len(list(leaf.cls)) - 1
    if isinstance(leaf, NameKind):
        return NOTHING, geometry.size(leaf.sort) - 1
    if isinstance(leaf, NaturalKind):
        return 0, NATURAL_LIMIT
    assert isinstance(leaf, WordKind)
    return 0, (1 << leaf.width) - 1


class Table:
    """A table as it was when the operation began, and what has been stored since."""

    def __init__(self, reading: Tracing, kind: TableKind, which: str) -> None:
        layout = reading.layout
        self.reading, self.kind, self.which = reading, kind, which
        self.first = layout.first[kind.name]
        self.leaves = list(stored_leaves(kind))
        self.sizes = [domain(part, layout.geometry) for part in kind.keys]
        self.ranges = [scalar_range(leaf, layout.geometry) for leaf in self.leaves] * self.cells
        self.stored: list[Store] = []

    @property
    def cells(self) -> int:
        """Records of an entry: one, or as many as a page has cells."""
        return 1

    @property
    def width(self) -> int:
        """Bytes of an entry."""
        return len(self.ranges)

    def forget(self, which: str) -> None:
        """From now on it holds what is not known yet."""
        self.which, self.stored = which, []

    def keys(self) -> list[tuple[int, ...]]:
        return list(itertools.product(*(range(size) for size in self.sizes)))

    def spelled(self, key: tuple[int, ...]) -> list[Any]:
        """A key as a text has it: flags and enum members as such, names as such."""
        return [
            opaque(self.reading, kind, self.reading.graph.constant(code)) if isinstance(kind, NameKind) else kind.decode(code)
            for kind, code in zip(self.kind.keys, key, strict=True)
        ]

    def parts(self, key: Any) -> list[Node]:
        """A key that a text wrote."""
        given = key if isinstance(key, tuple) else (key,)
        if len(given) != len(self.kind.keys):
            raise Unsound(f"table {self.kind.name} has a key of {len(self.kind.keys)} parts, not {len(given)}")
        return [term_of(self.reading, kind, part) for kind, part in zip(self.kind.keys, given, strict=True)]

    @property
    def name(self) -> str:
        return self.kind.name

    def defaults(self) -> list[int]:
        raise NotImplementedError

    def rows_of(self, value: Any) -> list[Node]:
        """A value as it is stored."""
        raise NotImplementedError

    def value_of(self, rows: Sequence[Node]) -> Any:
        """What is stored, as a value of the text."""
        raise NotImplementedError

    def __getitem__(self, key: Any) -> Any:
        return self.value_of(self._rows(self.parts(key)))

    def __setitem__(self, key: Any, value: Any) -> None:
        reading, parts = self.reading, self.parts(key)
        if reading.folding:
            raise Impure
        rows = self.rows_of(value)
        reading.must(self._named(parts), "a store under NOTHING")
        self.store(parts, reading.graph.yes, rows)

    def store(self, key: Sequence[Node], where: Node, rows: Sequence[Node]) -> None:
        for leaf, row in zip(self.leaves * self.cells, rows, strict=True):
            self.reading.kept(leaf, row, where)
        store = Store(self, tuple(key), where, tuple(rows))
        self.stored.append(store)
        self.reading.stores.append(store)

    def read(self, key: tuple[int, ...]) -> Any:
        return self.value_of(self._rows([self.reading.graph.constant(part) for part in key]))

    def is_there(self, key: tuple[int, ...]) -> Node:
        """Whether there is an entry under a key."""
        return self.reading.graph.yes

    def _named(self, parts: Sequence[Node]) -> Node:
        """Whether no part of a key is the name of nobody."""
        graph, named = self.reading.graph, self.reading.graph.yes
        for part in parts:
            if part.low < 0:
                named = graph.both(named, graph.negated(graph.equal(part, graph.constant(NOTHING))))
        return named

    def _rows(self, parts: Sequence[Node]) -> list[Node]:
        """The bytes of an entry. Under the name of nobody it is the default."""
        reading, graph = self.reading, self.reading.graph
        rows = self._as_it_was(parts)
        for store in self.stored:
            same = store.where
            for mine, other in zip(parts, store.key, strict=True):
                same = graph.both(same, graph.equal(mine, other))
            truth = reading.known.truth(same)
            if truth is not False:
                where = graph.yes if truth else same
                rows = [graph.select(where, new, old) for new, old in zip(store.rows, rows, strict=True)]
        return rows

    def _as_it_was(self, parts: Sequence[Node]) -> list[Node]:
        graph, defaults = self.reading.graph, self.defaults()
        named = self._named(parts)
        truth = self.reading.known.truth(named)
        if truth is False:
            return [graph.constant(code) for code in defaults]
        at, strides = self.place(parts)
        guard = graph.yes if truth else named
        return [
            graph.node("entry", (self.which, at + row, strides, guard, code), min(low, code), max(high, code))
            for row, ((low, high), code) in enumerate(zip(self.ranges, defaults, strict=True))
        ]

    def place(self, parts: Sequence[Node]) -> tuple[int, tuple[tuple[Node, int], ...]]:
        """Where an entry is: a fixed offset, and what each part of the key that is not fixed adds for each of its values."""
        at, strides, stride = self.first, [], self.width
        for part, size in zip(reversed(parts), reversed(self.sizes), strict=True):
            if part.is_constant:
                at += part.value * stride
            else:
                strides.append((part, stride))
            stride *= size
        return at, tuple(strides)

    def __contains__(self, key: object) -> bool:
        raise Unsound(f"membership in the total table {self.kind.name}")

    def __iter__(self) -> Any:
        raise Unsound(f"iteration over the table {self.kind.name}; use count or reset")

    __len__ = values = items = __iter__


class Slots:
    """Where operations wait that let others run: for each of them a byte that says where, and what it remembers there."""

    name = "operations under way"

    def __init__(self, first: int, width: int) -> None:
        self.first, self.width = first, width

    def place(self, parts: Sequence[Node]) -> tuple[int, tuple[tuple[Node, int], ...]]:
        """Where a slot is, as of an entry of a table."""
        (number,) = parts
        return (self.first + number.value * self.width, ()) if number.is_constant else (self.first, ((number, self.width),))


class RecordTable(Table):
    """A table of records, enum members, flags or numbers."""

    def defaults(self) -> list[int]:
        value = self.kind.value
        return [leaf.encode(v) for leaf, v in zip(self.leaves, value.flatten(value.default()), strict=True)]

    def rows_of(self, value: Any) -> list[Node]:
        return self.reading.flat(self.kind.value, value)

    def value_of(self, rows: Sequence[Node]) -> Any:
        return self.kind.value.build(iter([opaque(self.reading, leaf, row) for leaf, row in zip(self.leaves, rows, strict=True)]))


class PartialTable(RecordTable):
    """A table that has entries under some keys only: the first byte of each says whether it is there."""

    def defaults(self) -> list[int]:
        value = self.kind.value
        return [0, *(leaf.encode(v) for leaf, v in zip(self.leaves[1:], value.flatten(value.default()), strict=True))]

    def rows_of(self, value: Any) -> list[Node]:
        return [self.reading.graph.yes, *self.reading.flat(self.kind.value, value)]

    def value_of(self, rows: Sequence[Node]) -> Any:
        return self.kind.value.build(
            iter([opaque(self.reading, leaf, row) for leaf, row in zip(self.leaves[1:], rows[1:], strict=True)])
        )

    def is_there(self, key: tuple[int, ...]) -> Node:
        return self._rows([self.reading.graph.constant(part) for part in key])[0]

    def __contains__(self, key: object) -> bool:
        return bool(opaque(self.reading, FlagKind(), self._rows(self.parts(key))[0]))

    def __getitem__(self, key: Any) -> Any:
        rows = self._rows(self.parts(key))
        self.reading.must(rows[0], "a key that is missing")
        return self.value_of(rows)

    def __delitem__(self, key: Any) -> None:
        parts = self.parts(key)
        if self.reading.folding:
            raise Impure
        self.reading.must(self._rows(parts)[0], "a key that is missing")
        self.store(parts, self.reading.graph.yes, [self.reading.graph.constant(code) for code in self.defaults()])


class PageTable(Table):
    """A table of pages: an entry is as many records as a page has cells."""

    def __init__(self, reading: Tracing, kind: TableKind, which: str) -> None:
        assert isinstance(kind.value, PageKind)
        self.page: PageKind = kind.value
        self._cells = domain(kind.value.index, reading.layout.geometry)
        super().__init__(reading, kind, which)

    @property
    def cells(self) -> int:
        return self._cells

    def defaults(self) -> list[int]:
        cell = self.page.cell
        return [leaf.encode(v) for leaf, v in zip(self.leaves, cell.flatten(cell.default()), strict=True)] * self.cells

    def rows_of(self, value: Any) -> list[Node]:
        if not isinstance(value, PageValue):
            raise Unsound(f"{value!r} is no page")
        return list(value.rows)

    def value_of(self, rows: Sequence[Node]) -> PageValue:
        return PageValue(self, rows)


class PageValue:
    """A page: the bytes of its cells, one cell after the other."""

    __slots__ = ("rows", "table")

    def __init__(self, table: PageTable, rows: Sequence[Node]) -> None:
        self.table, self.rows = table, list(rows)

    def __getitem__(self, index: Any) -> Any:
        table, graph, size = self.table, self.table.reading.graph, len(self.table.leaves)
        code = term_of(table.reading, table.page.index, index)
        rows = [graph.constant(default) for default in table.defaults()[:size]]
        for number in range(table.cells):
            here = graph.equal(code, graph.constant(number))
            mine = self.rows[number * size : (number + 1) * size]
            rows = [graph.select(here, new, old) for new, old in zip(mine, rows, strict=True)]
        return table.page.cell.build(iter([opaque(table.reading, leaf, row) for leaf, row in zip(table.leaves, rows, strict=True)]))

    def put(self, index: Any, cell: Any) -> PageValue:
        """This page with one cell replaced."""
        table, graph, size = self.table, self.table.reading.graph, len(self.table.leaves)
        code = term_of(table.reading, table.page.index, index)
        new = table.reading.flat(table.page.cell, cell)
        if code.low < 0:
            table.reading.must(graph.negated(graph.equal(code, graph.constant(NOTHING))), "a cell under NOTHING")
        rows = list(self.rows)
        for number in range(table.cells):
            here, part = graph.equal(code, graph.constant(number)), slice(number * size, (number + 1) * size)
            rows[part] = [graph.select(here, a, b) for a, b in zip(new, rows[part], strict=True)]
        return PageValue(table, rows)

    def is_zero(self) -> Any:
        """Whether every cell is zero."""
        return self == self.scrubbed()

    def scrubbed(self) -> PageValue:
        """The page of zeroes."""
        graph = self.table.reading.graph
        return PageValue(self.table, [graph.constant(code) for code in self.table.defaults()])

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, PageValue) or len(other.rows) != len(self.rows):
            raise Unsound("a page meets what is no page, or one of another kind")
        graph, same = self.table.reading.graph, self.table.reading.graph.yes
        for a, b in zip(self.rows, other.rows, strict=True):
            same = graph.both(same, graph.equal(a, b))
        return opaque(self.table.reading, FlagKind(), same)

    def __ne__(self, other: object) -> Any:
        return opaque(self.table.reading, FlagKind(), self.table.reading.negated((self == other).term))

    __hash__ = None  # type: ignore[assignment]


__all__ = ["PageTable", "PageValue", "PartialTable", "RecordTable", "Slots", "Store", "Table", "scalar_range"]
