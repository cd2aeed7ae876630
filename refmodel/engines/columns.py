"""A design running on columns: one run of the text takes a step in thousands of states at once.

A state is a column of a matrix, and each scalar of the state is a row. The text computes with whole rows; where it
tests a truth value that differs between states, the run forks and each path goes on with its share of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from refmodel.engines.layout import NATURAL_LIMIT, Layout, Matrix, domain
from refmodel.language.arithmetic import LeavesKind
from refmodel.language.asking import Refused
from refmodel.language.forks import Forks
from refmodel.language.joining import Impure
from refmodel.language.kinds import (
    NOTHING,
    FlagKind,
    Kind,
    NameKind,
    NaturalKind,
    PageKind,
    Scalar,
    TableKind,
    WordKind,
)
from refmodel.language.opaque import check_constant, opaque, term_of
from refmodel.language.unsound import Unsound

Column = Any  # an array with an element for each state, or a plain int that stands for all of them alike

# ---------------------------------------------------------------- the reading


class Wrong(Exception):
    """In some states the text does what no text may: it computes what is no value of its kind, or stores under no name."""

    def __init__(self, why: str, rows: npt.NDArray[np.bool_]) -> None:
        self.rows = rows
        super().__init__(why)


class Narrow(BaseException):
    """Few states are left on this path: start it again with those alone."""


class Columns:
    """The states under way, which of them the present path is about, and what the text is told."""

    def __init__(self, layout: Layout, matrix: Matrix) -> None:
        self.layout, self.geometry = layout, layout.geometry
        self.forks = Forks()
        self.premises = False
        self.folding = 0
        self.load(matrix)

    def load(self, matrix: Matrix, earlier: Matrix | None = None) -> None:
        """Take up other states, and those that they were a step before."""
        self.matrix = matrix
        self.earlier = matrix if earlier is None else earlier
        self.width = matrix.shape[1]
        self.state, self.before = self._state(True), self._state(False)
        self.begin()

    def begin(self) -> None:
        """Start a path: all states are on it, and nothing has been written."""
        self.alive: npt.NDArray[np.bool_] = np.ones(self.width, dtype=np.bool_)
        self.written: dict[int, Column] = {}
        self.answers: list[Any] = []
        self.may_narrow = False

    def _state(self, live: bool) -> Any:
        """The states as they are, or (not live) as they were before this path wrote anything."""
        state = self.layout.design.blank()
        for table in self.layout.design.tables:
            cls = PageTable if isinstance(table.value, PageKind) else RecordTable
            setattr(state, table.name, cls(self, table, live))
        return state

    def row(self, number: int, live: bool) -> Column:
        """One scalar, in every state."""
        return self.written.get(number, self.matrix[number]) if live else self.earlier[number]

    # ------------------------------------------------------------ what values ask

    def decide(self, term: Column) -> bool:
        if not isinstance(term, np.ndarray):
            return bool(term)
        yes = self.alive & term
        no = self.alive & ~term
        if self.forks.replaying():
            choice = self.forks.again()
        else:
            some_yes, some_no = bool(yes.any()), bool(no.any())
            if not some_yes and not some_no:
                raise Refused
            choice = self.forks.take([True, False] if some_yes and some_no else [some_yes])
        self.alive = yes if choice else no
        return bool(choice)

    def required(self, term: Column) -> None:
        if self.folding:
            raise Impure
        if isinstance(term, np.ndarray):
            self.alive = self.alive & term
        elif not term:
            raise Refused
        left = int(np.count_nonzero(self.alive))
        if not left:
            raise Refused
        if self.may_narrow and not self.answers and left * 4 < self.width:
            raise Narrow

    def must(self, term: Column, why: str) -> None:
        wrong = self.alive & ~np.asarray(term, dtype=np.bool_)
        if wrong.any():
            raise Wrong(why, wrong)

    def constant(self, kind: Scalar, value: Any) -> Column:
        check_constant(kind, value)
        return value if isinstance(kind, FlagKind) else kind.encode(value)

    def equal(self, a: Column, b: Column) -> Column:
        return a == b

    def both(self, a: Column, b: Column) -> Column:
        return a & b

    def either(self, a: Column, b: Column) -> Column:
        return a | b

    def negated(self, a: Column) -> Column:
        return ~a if isinstance(a, np.ndarray) else not a

    def below(self, kind: Scalar, a: Column, b: Column) -> Column:
        return a < b

    def arithmetic(self, operator: str, kind: Scalar, a: Column, b: Column) -> tuple[Column, Column]:
        a, b = _wide(a), _wide(b)
        if operator in ("//", "%"):
            safe = np.where(b == 0, 1, b)
            return (a // safe if operator == "//" else a % safe), b != 0
        result = {"+": a + b, "-": a - b, "*": a * b, "<<": a << np.clip(b, 0, 32)}[operator]
        sound = result >= 0
        if isinstance(kind, WordKind):
            sound = sound & (result < 1 << kind.width) & ((b < kind.width) if operator == "<<" else True)
        return result, sound

    def kept(self, number: Column) -> None:
        """Refuse a number that is more than exploration keeps."""
        if bool(np.any(self.alive & (np.asarray(number) > NATURAL_LIMIT))):
            raise Unsound(f"a number above {NATURAL_LIMIT} is stored, and exploration keeps none such; explore less, or prove")

    def bitwise(self, operator: str, kind: Scalar, a: Column, b: Column) -> Column:
        a, b = _wide(a), _wide(b)
        return {"&": a & b, "|": a | b, "^": a ^ b, "&~": a & ~b, ">>": a >> np.clip(b, 0, 62)}[operator]

    def premise(self, term: Column) -> None:
        if not self.premises and bool(np.any(self.alive & term)):
            self.premises = True

    # ------------------------------------------------------------ what the text asks

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        if self.folding:
            raise Impure
        options = list(kind.values(self.geometry))
        value = self.forks.again() if self.forks.replaying() else self.forks.take(options)
        condition = self.fold(where, value)
        self.answers.append(value)
        self.required(condition)
        return value

    def yes(self, question: str) -> bool:
        if self.folding:
            raise Impure
        answer = self.forks.again() if self.forks.replaying() else self.forks.take([False, True])
        self.answers.append(answer)
        return bool(answer)

    def count(self, table: Any, where: Callable[..., Any]) -> Any:
        total: Column = 0
        wide = np.int8 if len(table.keys()) < 100 else np.int64
        for key in table.keys():
            holds = self.fold(where, table.read(key), *table.spelled(key))
            total = total + (holds.astype(wide) if isinstance(holds, np.ndarray) else int(holds))
        return opaque(self, NaturalKind(), total)

    def reset(self, table: Any, where: Callable[..., Any]) -> None:
        self._everywhere(table, where, [np.int8(d) for d in table.defaults()])

    def assign(self, table: Any, where: Callable[..., Any], value: Any) -> None:
        self._everywhere(table, where, value if isinstance(value, FunctionType) else table.rows_of(value))

    def _everywhere(self, table: Any, where: Callable[..., Any], rows: Any) -> None:
        found = [(key, self.fold(where, table.read(key), *table.spelled(key))) for key in table.keys()]
        new = [(key, holds, self._computed(table, key, holds, rows) if isinstance(rows, FunctionType) else rows)
               for key, holds in found if holds is not False]
        for key, holds, entry in new:
            table.put_where(key, holds, entry)

    def _computed(self, table: Any, key: tuple[int, ...], holds: Column, value: Callable[..., Any]) -> list[Column]:
        """What a function gives for one entry, where a condition holds."""
        def leaf(number: int) -> Callable[..., Any]:
            return lambda *given: table.kind.value.flatten(value(*given))[number]

        outer = self.alive
        self.alive = outer & holds
        try:
            return [_byte(self, kind, self.fold(leaf(n), table.read(key), *table.spelled(key), kind=kind))
                    for n, kind in enumerate(table.leaves)]
        finally:
            self.alive = outer

    def looked_at(self, operand: Callable[[], Any], assuming: Column) -> Column:
        """An operand of a condition, if all it does is look, and where the operand before it lets it be looked at."""
        outer = self.alive
        self.alive = outer & assuming
        try:
            return self._fold(operand, (), FlagKind()) if self.alive.any() else False
        finally:
            self.alive = outer

    def fold(self, predicate: Callable[..., Any], *arguments: Any, kind: Scalar | None = None) -> Column:
        """A predicate, or any function of a scalar, as one column: its paths followed apart and put together. States off this path
        do not count. It only looks; anything else is ``Unsound``, unless it is within an operand that can be taken in turn."""
        try:
            return self._fold(predicate, arguments, kind or FlagKind())
        except Impure as why:
            if self.folding:
                raise
            raise Unsound(f"a law or condition does more than look{f' ({why})' if str(why) else ''}") from None

    def _fold(self, predicate: Callable[..., Any], arguments: tuple[Any, ...], kind: Scalar) -> Column:
        forks, alive, may_narrow = self.forks, self.alive, self.may_narrow
        if not alive.any():  # nobody asks
            return np.zeros(self.width, dtype=np.bool_ if isinstance(kind, FlagKind) else np.int64)
        self.folding += 1
        self.forks, self.may_narrow = Forks(), False
        result: Column = None
        try:
            for _ in self.forks.paths():
                self.alive = alive
                try:
                    value = predicate(*arguments)
                except Wrong:
                    raise
                except LeavesKind as wrong:
                    raise Wrong(str(wrong), self.alive) from None
                except Exception as error:  # a Fault, an abort: it does more than look
                    raise Impure(f"{type(error).__name__}: {error}") from None
                term = term_of(self, kind, value)
                if self.alive is alive:
                    return term
                if result is None:
                    result = np.zeros(self.width, dtype=np.bool_ if isinstance(kind, FlagKind) else np.int64)
                result = np.where(self.alive, term, result)
        finally:
            self.forks, self.alive, self.may_narrow = forks, alive, may_narrow
            self.folding -= 1
        return result


def _wide(a: Column) -> Column:
    return a.astype(np.int64) if isinstance(a, np.ndarray) else np.int64(a)


# ---------------------------------------------------------------- tables


class _Table:
    """A table in every state at once."""

    def __init__(self, columns: Columns, kind: TableKind, live: bool) -> None:
        self.columns, self.kind = columns, kind
        self.first = columns.layout.first[kind.name]
        self.leaves = [leaf for _, leaf in kind.value.leaves()]
        self.sizes = [domain(k, columns.geometry) for k in kind.keys]
        self.live = live
        self._keys = list(itertools.product(*(range(s) for s in self.sizes)))
        self._meant: dict[tuple[int | None, ...], list[tuple[int, ...]]] = {}

    def keys(self) -> list[tuple[int, ...]]:
        return self._keys

    def spelled(self, key: tuple[int, ...]) -> list[Any]:
        """A key as a text has it: flags and enum members as such."""
        return [k.decode(code) for k, code in zip(self.kind.keys, key, strict=True)]

    def parts(self, key: Any) -> tuple[Column, ...]:
        """A key that a text wrote, as codes."""
        given = key if isinstance(key, tuple) else (key,)
        if len(given) != len(self.kind.keys):
            raise Unsound(f"table {self.kind.name} has a key of {len(self.kind.keys)} parts, not {len(given)}")
        terms = (term_of(self.columns, kind, part) for kind, part in zip(self.kind.keys, given, strict=True))
        return tuple(t if isinstance(t, np.ndarray) else int(t) for t in terms)

    def read(self, key: tuple[int, ...]) -> Any:
        raise NotImplementedError

    def __contains__(self, key: object) -> bool:
        raise Unsound(f"membership in the total table {self.kind.name}")

    def __iter__(self) -> Any:
        raise Unsound(f"iteration over the table {self.kind.name}; use count or reset")

    __len__ = values = items = __iter__

    def _stride(self, key: Sequence[int]) -> int:
        flat = 0
        for part, size in zip(key, self.sizes, strict=True):
            flat = flat * size + part
        return flat

    def _matches(self, parts: tuple[Column, ...]) -> list[tuple[tuple[int, ...], Column]]:
        """The keys that may be meant, each with the states in which it is (True: in all)."""
        fixed = tuple(p if isinstance(p, int) else None for p in parts)
        if fixed not in self._meant:
            self._meant[fixed] = [key for key in self._keys
                                  if all(f is None or f == k for f, k in zip(fixed, key, strict=True))]
        varying = [i for i, f in enumerate(fixed) if f is None]
        found: list[tuple[tuple[int, ...], Column]] = []
        for key in self._meant[fixed]:
            where: Column = True
            for i in varying:
                where = (parts[i] == key[i]) if where is True else where & (parts[i] == key[i])
            found.append((key, where))
        return found

    def _rows(self, key: tuple[int, ...]) -> range:
        raise NotImplementedError

    def defaults(self) -> list[int]:
        raise NotImplementedError

    def _get(self, parts: tuple[Column, ...]) -> list[Column]:
        """The rows of the entry that a key means, state by state; NOTHING as a name means the default."""
        matches = self._matches(parts)
        if len(matches) == 1 and matches[0][1] is True:
            return [self.columns.row(n, self.live) for n in self._rows(matches[0][0])]
        result: list[Column] = [np.int8(d) for d in self.defaults()]
        for key, where in matches:
            for i, n in enumerate(self._rows(key)):
                result[i] = np.where(where, self.columns.row(n, self.live), result[i])
        return result

    def _put(self, parts: tuple[Column, ...], rows: Sequence[Column]) -> None:
        if self.columns.folding:
            raise Impure
        columns, hit = self.columns, np.zeros(self.columns.width, dtype=np.bool_)
        for key, where in self._matches(parts):
            if where is True:
                hit[:] = True
            else:
                hit |= where
            self._store(key, where, rows)
        missed = columns.alive & ~hit
        if missed.any():
            raise Wrong("a store under the name of nobody", missed)

    def _store(self, key: tuple[int, ...], where: Column, rows: Sequence[Column]) -> None:
        columns = self.columns
        for n, new in zip(self._rows(key), rows, strict=True):
            columns.written[n] = new if where is True else np.where(where, new, columns.row(n, True)).astype(np.int8)

    def put_where(self, key: tuple[int, ...], where: Column, rows: Sequence[Column]) -> None:
        """Let one entry be this in the states where a condition holds."""
        if self.columns.folding:
            raise Impure
        self._store(key, True if where is True else where, rows)


class RecordTable(_Table):
    """A table of records, enum members, flags or numbers."""

    def __getitem__(self, key: Any) -> Any:
        return self._value(self._get(self.parts(key)))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._put(self.parts(key), self.rows_of(value))

    def rows_of(self, value: Any) -> list[Column]:
        """A value as it is stored."""
        flat = self.kind.value.flatten(value)
        return [_byte(self.columns, leaf, term_of(self.columns, leaf, v)) for leaf, v in zip(self.leaves, flat, strict=True)]

    def read(self, key: tuple[int, ...]) -> Any:
        return self._value(self._get(key))

    def _value(self, rows: list[Column]) -> Any:
        return self.kind.value.build(iter([as_value(self.columns, leaf, row)
                                           for leaf, row in zip(self.leaves, rows, strict=True)]))

    def _rows(self, key: tuple[int, ...]) -> range:
        at = self.first + self._stride(key) * len(self.leaves)
        return range(at, at + len(self.leaves))

    def defaults(self) -> list[int]:
        value = self.kind.value
        return [leaf.encode(v) for leaf, v in zip(self.leaves, value.flatten(value.default()), strict=True)]


class PageTable(_Table):
    """A table of pages: an entry is as many records as a page has cells."""

    def __init__(self, columns: Columns, kind: TableKind, live: bool) -> None:
        super().__init__(columns, kind, live)
        assert isinstance(kind.value, PageKind)
        self.page: PageKind = kind.value
        self.cells = domain(kind.value.index, columns.geometry)

    def __getitem__(self, key: Any) -> ColumnPage:
        return ColumnPage(self, self._get(self.parts(key)))

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(value, ColumnPage):
            raise Unsound(f"{value!r} is no page")
        self._put(self.parts(key), value.rows)

    def index(self, index: Any) -> Column:
        """Which cell, as a code; a name may be NOTHING."""
        code = term_of(self.columns, self.page.index, index)
        return code if isinstance(code, np.ndarray) else int(code)

    def read(self, key: tuple[int, ...]) -> ColumnPage:
        return ColumnPage(self, self._get(key))

    def _rows(self, key: tuple[int, ...]) -> range:
        size = self.cells * len(self.leaves)
        at = self.first + self._stride(key) * size
        return range(at, at + size)

    def defaults(self) -> list[int]:
        cell = self.page.cell
        return [leaf.encode(v) for leaf, v in zip(self.leaves, cell.flatten(cell.default()), strict=True)] * self.cells


class ColumnPage:
    """A page in every state at once: the rows of its cells, one cell after the other."""

    __slots__ = ("rows", "table")

    def __init__(self, table: PageTable, rows: Sequence[Column]) -> None:
        self.table, self.rows = table, rows

    def _cell(self, number: int) -> slice:
        size = len(self.table.leaves)
        return slice(number * size, (number + 1) * size)

    def __getitem__(self, index: Any) -> Any:
        table = self.table
        code = table.index(index)
        if isinstance(code, int) and code != NOTHING:
            rows = list(self.rows[self._cell(code)])
        else:
            rows = list(table.defaults()[: len(table.leaves)])
            for number in range(table.cells):
                rows = [np.where(code == number, new, np.int8(old) if isinstance(old, int) else old)
                        for old, new in zip(rows, self.rows[self._cell(number)], strict=True)]
        return table.page.cell.build(iter([as_value(table.columns, leaf, row)
                                           for leaf, row in zip(table.leaves, rows, strict=True)]))

    def put(self, index: Any, cell: Any) -> ColumnPage:
        """This page with one cell replaced."""
        table = self.table
        code = table.index(index)
        flat = table.page.cell.flatten(cell)
        new = [_byte(table.columns, leaf, term_of(table.columns, leaf, v)) for leaf, v in zip(table.leaves, flat, strict=True)]
        nobody = table.columns.alive & (np.asarray(code) == NOTHING)
        if isinstance(table.page.index, NameKind) and nobody.any():
            raise Wrong("a cell under the name of nobody", nobody)
        rows = list(self.rows)
        for number in range(table.cells):
            if isinstance(code, int):
                if code == number:
                    rows[self._cell(number)] = new
            else:
                rows[self._cell(number)] = [np.where(code == number, n, o)
                                            for n, o in zip(new, rows[self._cell(number)], strict=True)]
        return ColumnPage(table, rows)

    def is_zero(self) -> Any:
        """Whether every cell is zero."""
        return self == self.scrubbed()

    def scrubbed(self) -> ColumnPage:
        """The page of zeroes."""
        return ColumnPage(self.table, [np.int8(d) for d in self.table.defaults()])

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, ColumnPage) or len(other.rows) != len(self.rows):
            raise Unsound("a page meets what is no page, or one of another kind")
        same: Column = True
        for a, b in zip(self.rows, other.rows, strict=True):
            same = same & (a == b)
        return opaque(self.table.columns, FlagKind(), same)

    def __ne__(self, other: object) -> Any:
        return opaque(self.table.columns, FlagKind(), self.table.columns.negated((self == other).term))

    __hash__ = None  # type: ignore[assignment]


def as_value(columns: Columns, leaf: Scalar, row: Column) -> Any:
    """A row as a value of the text."""
    if isinstance(leaf, FlagKind) and isinstance(row, np.ndarray) and row.dtype != np.bool_:
        row = row.view(np.bool_)
    elif isinstance(leaf, FlagKind) and not isinstance(row, np.ndarray):
        row = bool(row)
    return opaque(columns, leaf, row)


def _byte(columns: Columns, leaf: Scalar, term: Column) -> Column:
    """A term as it is stored, in a byte. Numbers beyond what is kept are refused, and not cut off."""
    if isinstance(leaf, NaturalKind):
        columns.kept(term)
    if isinstance(term, np.ndarray):
        return term.view(np.int8) if term.dtype == np.bool_ else term.astype(np.int8, copy=False)
    return np.int8(term)


__all__ = ["ColumnPage", "Columns", "Narrow", "Wrong", "as_value"]
