"""Where each scalar of a state is kept when a state is a row of bytes, or a column of a matrix of them."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.language.annotations import kind_of
from refmodel.language.design import Outline
from refmodel.language.kinds import EnumKind, FlagKind, NameKind, NaturalKind, PageKind, Scalar, TableKind, WordKind
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING
from refmodel.language.unsound import Unsound

Matrix = npt.NDArray[np.int8]

NATURAL_LIMIT = 100
"""Naturals are kept in a byte here, and their codes in small tables; a run that counts further is refused."""


def fits_bytes(design: Outline) -> bool:
    """Whether a state is a row of bytes: no word is wider than a byte holds, and no page in a partial table."""
    leaves = [leaf for table in design.tables for _, leaf in table.value.leaves()]
    leaves += [leaf for op in design.operations if op.returns is not None for _, leaf in kind_of(op.returns).leaves()]
    wide = any(
        (isinstance(leaf, WordKind) and leaf.width > 7) or (isinstance(leaf, EnumKind) and len(leaf.cls) > 127) for leaf in leaves
    )
    paged = any(table.partial and isinstance(table.value, PageKind) for table in design.tables)
    return not (wide or paged)


def stored_leaves(table: TableKind) -> tuple[Scalar, ...]:
    """What an entry consists of: its leaves, and for a partial table before them whether it is there."""
    leaves = tuple(leaf for _, leaf in table.value.leaves())
    return (FlagKind(), *leaves) if table.partial else leaves


def paths_of(table: TableKind) -> tuple[str, ...]:
    """What the fields are called that an entry is stored as, in the order of ``stored_leaves``."""
    paths = tuple(path for path, _ in table.value.leaves())
    return ("", *paths) if table.partial else paths


@attrs.frozen
class Place:
    """The scalars that one table entry (or one cell of a page) consists of: rows ``first`` and following."""

    table: str
    key: tuple[int, ...]
    first: int
    leaves: tuple[Scalar, ...]


@attrs.define
class Layout:
    """Which row of the matrix holds which scalar of the state."""

    design: Outline
    geometry: Geometry
    places: list[Place] = attrs.field(factory=list)
    slots: list[Place] = attrs.field(factory=list)
    """Behind the tables: what operations remember that let others run in their midst."""
    first: dict[str, int] = attrs.field(factory=dict)
    height: int = 0

    def __attrs_post_init__(self) -> None:
        for table in self.design.tables:
            self.first[table.name] = self.height
            leaves = stored_leaves(table)
            for key in itertools.product(*(range(domain(k, self.geometry)) for k in cell_keys(table))):
                self.places.append(Place(table.name, key, self.height, leaves))
                self.height += len(leaves)

    def add_slots(self, number: int, leaves: Sequence[Scalar]) -> int:
        """Room for so many operations under way; gives the row at which it begins."""
        first = self.height
        for slot in range(number):
            self.slots.append(Place("", (slot,), self.height, tuple(leaves)))
            self.height += len(leaves)
        return first

    @property
    def of_tables(self) -> int:
        """The rows of the tables alone."""
        return self.slots[0].first if self.slots else self.height

    def scalars_among(self, rows: Iterable[int]) -> frozenset[tuple[str, str]]:
        """The tables, and the fields of their entries, that these rows hold. Whether an entry of a partial table is there has no
        field."""
        found = set()
        for row in rows:
            if row < self.of_tables:
                place = self._place_at(row)
                found.add((place.table, paths_of(self.design.table(place.table))[row - place.first]))
        return frozenset(found)

    def leaf_at(self, row: int) -> Scalar:
        """What a row of the matrix holds."""
        place = self._place_at(row)
        return place.leaves[row - place.first]

    def _place_at(self, row: int) -> Place:
        """The entry that a row belongs to."""
        return self.places[bisect.bisect_right(self.places, row, key=lambda p: p.first) - 1]

    def _no_slots(self) -> list[int]:
        """The rows of the slots while nothing is under way."""
        return [NOTHING if isinstance(leaf, NameKind) else 0 for place in self.slots for leaf in place.leaves]

    def default(self) -> Matrix:
        """The initial state, as a matrix of one column."""
        rows = []
        for place in self.places:
            kind = self.design.table(place.table).value
            cell = kind.cell if isinstance(kind, PageKind) else kind
            there = [False] if self.design.table(place.table).partial else []
            rows += [leaf.encode(v) for leaf, v in zip(place.leaves, [*there, *cell.flatten(cell.default())], strict=True)]
        return np.array([*rows, *self._no_slots()], dtype=np.int8).reshape(-1, 1)

    def states(self, matrix: Matrix) -> Iterator[Any]:
        """Each column as a state on ints."""
        for column in matrix.T:
            state = self.design.initial(self.geometry)
            self._fill(state, column)
            yield state

    def _fill(self, state: Any, column: npt.NDArray[np.int8]) -> None:
        for place in self.places:
            kind = self.design.table(place.table)
            values = (
                leaf.decode(int(code))
                for leaf, code in zip(place.leaves, column[place.first : place.first + len(place.leaves)], strict=True)
            )
            scalars = [k.decode(c) for k, c in zip(cell_keys(kind), place.key, strict=True)]
            table = getattr(state, place.table)
            if kind.partial and not next(values):
                continue
            if isinstance(kind.value, PageKind):
                key = tuple(scalars[:-1]) if len(scalars) > 2 else scalars[0]
                table[key] = table[key].put(scalars[-1], kind.value.cell.build(values))
            else:
                table[tuple(scalars) if len(scalars) != 1 else scalars[0]] = kind.value.build(values)

    def column(self, state: Any) -> Matrix:
        """A state on ints, as a matrix of one column."""
        rows = []
        for place in self.places:
            kind = self.design.table(place.table)
            scalars = [k.decode(c) for k, c in zip(cell_keys(kind), place.key, strict=True)]
            table = getattr(state, place.table)
            if isinstance(kind.value, PageKind):
                key = tuple(scalars[:-1]) if len(scalars) > 2 else scalars[0]
                values = kind.value.cell.flatten(table[key][scalars[-1]])
            else:
                values = _entry(kind, table, tuple(scalars) if len(scalars) != 1 else scalars[0])
            rows += [_kept(leaf, leaf.encode(v)) for leaf, v in zip(place.leaves, values, strict=True)]
        return np.array([*rows, *self._no_slots()], dtype=np.int8).reshape(-1, 1)


def _entry(kind: TableKind, table: Any, key: Any) -> list[Any]:
    """An entry as it is stored."""
    if not kind.partial:
        return kind.value.flatten(table[key])
    return [key in table, *kind.value.flatten(table[key] if key in table else kind.value.default())]


TOO_LARGE = f"a number above {NATURAL_LIMIT} is stored, and exploration keeps numbers up to {NATURAL_LIMIT}"
"""Why an exploration ends before the last state, in words."""


class TooLarge(Unsound):
    """A design stores a number that exploration does not keep."""

    def __init__(self) -> None:
        super().__init__(f"{TOO_LARGE}; bound it by require, or leave exploration out: --engine prove, --engine random")


def _kept(leaf: Scalar, code: int) -> int:
    """A scalar as it is kept; ``TooLarge`` if it is a number that is not."""
    if isinstance(leaf, NaturalKind) and code > NATURAL_LIMIT:
        raise TooLarge
    return code


def cell_keys(table: TableKind) -> tuple[Scalar, ...]:
    """What it takes to name one record: the key, and for a table of pages the index."""
    return (*table.keys, table.value.index) if isinstance(table.value, PageKind) else table.keys


def domain(kind: Scalar, geometry: Geometry) -> int:
    """How many values a key part has."""
    return len(list(kind.values(geometry)))
