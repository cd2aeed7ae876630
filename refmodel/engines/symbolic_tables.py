"""Tables and pages on solver terms.

A table is a function symbol for each scalar of its records (for pages, one that gives arrays of cells), which stands for any
contents whatever, and a list of what has been written since. Reading looks the list through, so every term speaks of the first
state only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import z3

from refmodel.engines.conditions import Counted, Lookup, Stated
from refmodel.engines.connectives import (
    cell_of,
    choice,
    conj,
    identical,
    is_false,
    is_true,
    negation,
    number_of,
    remembered,
    same,
)
from refmodel.engines.questions import simplified
from refmodel.engines.terms import FALSE, TRUE, Term, called, constant, packed, page_sort, sort_of
from refmodel.language.asking import is_function
from refmodel.language.kinds import FlagKind, NameKind, PageKind, TableKind
from refmodel.language.opaque import opaque, term_of
from refmodel.language.tables import NOTHING
from refmodel.language.unsound import Unsound

if TYPE_CHECKING:
    from refmodel.engines.symbolic import Symbolic

__all__ = ["Counted", "Lookup", "Put", "Reset", "SymbolicPage", "Table"]


@attrs.frozen(slots=False)
class Put:
    stamp: int
    key: tuple[Term, ...]
    leaves: tuple[Term, ...]
    gone: bool = False
    when: Term | None = None
    """Where it is written; None: everywhere."""

    @functools.cached_property
    def identity(self) -> tuple[Any, ...]:
        """Equal for writes that leave the same at the same place, wherever they stand among others."""
        return self.gone, 0 if self.when is None else number_of(self.when), *[number_of(t) for t in (*self.key, *self.leaves)]

    @functools.cached_property
    def place(self) -> tuple[Any, ...]:
        """Equal for writes to the same place."""
        return "put", self.gone, *map(number_of, self.key)


@attrs.frozen(slots=False)
class Reset:
    """Every entry for which a condition held became the default, or what was assigned."""

    stamp: int
    stated: Stated
    """The condition, and then the leaves of what an entry becomes (for a partial table it goes)."""
    assigned: bool
    when: Term | None = None
    """Where it is written; None: everywhere."""
    memo: dict[tuple[int, ...], tuple[tuple[Term, ...], list[Term]]] = attrs.field(factory=dict, eq=False)
    """For keys, by their ids, whether it is written there and what; with the keys, since an id says nothing once its term is
    gone."""

    @functools.cached_property
    def identity(self) -> tuple[Any, ...]:
        """Equal for writes that leave the same at the same places. The stamp is a part: unknown numbers are called after it."""
        return self.stamp, self.assigned, 0 if self.when is None else number_of(self.when), *self.stated.identity

    @functools.cached_property
    def place(self) -> tuple[Any, ...]:
        """Equal for writes of the same to the same entries."""
        return "reset", self.assigned, *self.stated.identity

    @property
    def covered(self) -> Term:
        """Whether an arbitrary entry is written."""
        condition = self.stated.template.terms[0]
        return condition if self.when is None else simplified(conj((self.when, condition)))


class _Symbols:
    """The function symbols of an arbitrary table, one for each scalar or for the page, and what they were applied to before."""

    def __init__(self, kind: TableKind, base: str) -> None:
        sorts = [sort_of(k) for k in kind.keys]
        ranges = (
            [("page", page_sort(kind.value))]
            if isinstance(kind.value, PageKind)
            else [(path or "value", sort_of(leaf)) for path, leaf in kind.value.leaves()]
        )
        self.functions = [z3.Function(f"{base}.{kind.name}.{path}", *sorts, sort) for path, sort in ranges]
        self.domain = z3.Function(f"{base}.{kind.name}!domain", *sorts, z3.BoolSort()) if kind.partial else None
        self._applied: dict[tuple[int, ...], tuple[tuple[Term, ...], list[Term]]] = {}  # with the keys, whose ids must stay theirs

    def at(self, key: tuple[Term, ...], ids: tuple[int, ...]) -> list[Term]:
        """The leaves of an entry (for a partial table, whether it is there first)."""
        if ids not in self._applied:
            functions = self.functions if self.domain is None else [self.domain, *self.functions]
            self._applied[ids] = key, [f(*key) for f in functions]
        return self._applied[ids][1]


@functools.cache
def _symbols(kind: TableKind, base: str) -> _Symbols:
    return _Symbols(kind, base)


def entry_of(kind: TableKind, base: str, at: Lookup) -> list[Term]:
    """The leaves of an entry in an arbitrary state (for a partial table, whether it is there first)."""
    return _symbols(kind, base).at(at.key, at.ids)


class Table:
    """A table: an arbitrary function, and what has been written over it since."""

    def __init__(self, reading: Symbolic, kind: TableKind, base: str) -> None:
        self.reading, self.kind, self.base = reading, kind, base
        self.page = isinstance(kind.value, PageKind)
        self.leaves = [leaf for _, leaf in kind.value.leaves()]
        self.writes: list[Put | Reset] = []
        self._peeked: dict[tuple[Any, ...], tuple[tuple[Term, ...], list[Term], list[Lookup], Symbolic]] = {}
        """Entries that were looked at before, and what was noted; with what must live as long as its id is used."""
        self.symbols = _symbols(kind, base)
        self.domain = self.symbols.domain

    def frozen(self) -> Table:
        """The table as it is now."""
        other = Table(self.reading, self.kind, self.base)
        other.writes = list(self.writes)
        return other

    def forget(self, base: str) -> None:
        """Others have run: the table may hold anything."""
        fresh = Table(self.reading, self.kind, base)
        self.base, self.symbols, self.domain, self.writes = fresh.base, fresh.symbols, fresh.domain, []
        self._peeked = {}

    def parts(self, key: Any) -> tuple[Term, ...]:
        given = key if isinstance(key, tuple) else (key,)
        if len(given) != len(self.kind.keys):
            raise Unsound(f"table {self.kind.name} has a key of {len(self.kind.keys)} parts, not {len(given)}")
        return tuple(term_of(self.reading, kind, part) for kind, part in zip(self.kind.keys, given, strict=True))

    # ------------------------------------------------------------ reading

    def first(self, key: tuple[Term, ...]) -> list[Term]:
        """The leaves (for a partial table, whether it is there first) that the arbitrary state holds."""
        lookup = Lookup(self.base, self.kind.name, key)
        self.reading.note(lookup)
        return self.symbols.at(key, lookup.ids)

    def nobody(self, key: tuple[Term, ...]) -> list[Term]:
        """For each part of a key that is a name, that it is NOTHING."""
        return [
            same(part, constant(kind, NOTHING))
            for kind, part in zip(self.kind.keys, key, strict=True)
            if isinstance(kind, NameKind)
        ]

    def defaults(self) -> list[Term]:
        kind = self.kind.value
        if isinstance(kind, PageKind):
            return [zeroes(kind)]
        return [constant(leaf, v) for leaf, v in zip(self.leaves, kind.flatten(kind.default()), strict=True)]

    def initial(self) -> list[Term]:
        """What ``first`` gives of an entry before anything was stored in it."""
        return self.defaults() if self.domain is None else [FALSE, *self.defaults()]

    def peek(self, key: tuple[Term, ...], as_of: int | None = None) -> list[Term]:
        """The leaves of an entry; ``as_of`` leaves out what was written at that stamp or later."""
        reading = self.reading
        question = (*[number_of(k) for k in key], as_of, len(self.writes), id(reading))
        found = self._peeked.get(question)
        if found is None:
            outer, reading.lookups = reading.lookups, {}
            try:
                leaves = self._peek(key, as_of)
            finally:
                looked, reading.lookups = reading.lookups, outer
            found = self._peeked[question] = key, leaves, list(looked.values()), reading
        for lookup in found[2]:
            reading.note(lookup)
        return list(found[1])

    def _peek(self, key: tuple[Term, ...], as_of: int | None) -> list[Term]:
        layers: list[tuple[Term, Sequence[Term]]] = []
        for write in reversed(self.writes):
            if as_of is not None and write.stamp >= as_of:
                continue
            where = self.covers(write, key)
            if is_false(where):
                continue
            new = self.written(write, key)
            if is_true(where):
                return _layered(layers, list(new))
            layers.append((where, new))
        return _layered(layers, self.first(key))

    def written(self, write: Put | Reset, key: tuple[Term, ...]) -> Sequence[Term]:
        """What a write leaves at a key that it covers."""
        if isinstance(write, Reset):
            new = self._stated(write, key)[1:]
            return new if self.domain is None else [FALSE, *new]
        return write.leaves if self.domain is None else (FALSE if write.gone else TRUE, *write.leaves)

    def covers(self, write: Put | Reset, key: tuple[Term, ...]) -> Term:
        """Whether a write is to this key."""
        if isinstance(write, Put):
            where = _all_equal(write.key, key)
            return where if write.when is None or is_false(where) else simplified(conj((write.when, where)))
        holds = self._stated(write, key)[0]
        if write.when is not None and not is_false(holds):
            holds = simplified(conj((write.when, holds)))
        if write.assigned:  # nothing is ever stored under the name of nobody
            holds = simplified(conj([holds, *(negation(n) for n in self.nobody(key))]))
        return holds

    def _stated(self, write: Reset, key: tuple[Term, ...]) -> list[Term]:
        """The condition of a reset, and what it leaves, for one entry."""
        identity = tuple(number_of(k) for k in key)
        if identity not in write.memo:
            before = self.peek(key, as_of=write.stamp)
            write.memo[identity] = key, write.stated.at(self.reading, key, before if self.domain is None else before[1:])
        return write.memo[identity][1]

    def value(self, leaves: Sequence[Term]) -> Any:
        """What ``first`` or ``peek`` gives as a value of the text."""
        return self.value_of(leaves if self.domain is None else leaves[1:])

    def value_of(self, leaves: Sequence[Term]) -> Any:
        """The leaves of an entry as a value of the text."""
        if isinstance(self.kind.value, PageKind):
            [array] = leaves
            return SymbolicPage(self.reading, self.kind.value, array)
        return self.kind.value.build(iter([opaque(self.reading, leaf, t) for leaf, t in zip(self.leaves, leaves, strict=True)]))

    def __getitem__(self, key: Any) -> Any:
        leaves = self.peek(self.parts(key))
        if self.domain is not None:
            self.reading.must(leaves[0], f"{self.kind.name} has no such key")
        return self.value(leaves)

    def __contains__(self, key: Any) -> bool:
        if self.domain is None:
            raise Unsound(f"membership in the total table {self.kind.name}")
        return self.reading.decide(self.peek(self.parts(key))[0])

    # ------------------------------------------------------------ writing

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(self.kind.value, PageKind):
            if not isinstance(value, SymbolicPage):
                raise Unsound(f"{value!r} is no page")
            leaves = [value.array]
        else:
            leaves = list(self._leaves_of(value))
        parts = self.parts(key)
        for nobody in self.nobody(parts):
            self.reading.must(negation(nobody), f"a store to {self.kind.name} under NOTHING")
        self.writes.append(Put(self.reading.stamp(), parts, tuple(leaves)))

    def __delitem__(self, key: Any) -> None:
        if self.domain is None:
            raise Unsound(f"deletion from the total table {self.kind.name}")
        parts = self.parts(key)
        self.reading.must(self.peek(parts)[0], f"{self.kind.name} has no such key")
        self.writes.append(Put(self.reading.stamp(), parts, tuple(self.defaults()), gone=True))

    def reset(self, where: Callable[..., Any]) -> None:
        """Back to the default wherever a condition holds; entries of a partial table go."""
        self._everywhere(where, lambda *_: self.defaults(), assigned=False)

    def assign(self, where: Callable[..., Any], value: Any) -> None:
        """One value wherever a condition holds, or what a function gives for each entry."""
        if self.page or self.domain is not None:
            raise Unsound(f"an assignment to many entries of {self.kind.name}, which is no total table of records")
        new = self._computed(value) if is_function(value) else lambda *_: list(self._leaves_of(value))
        self._everywhere(where, new, assigned=True)

    def _everywhere(self, where: Callable[..., Any], new: Callable[..., list[Term]], assigned: bool) -> None:
        reading, stamp = self.reading, self.reading.stamp()

        def stated(entry: Any, *names: Any) -> list[Term]:
            holds = reading.fold(where, entry, *names)
            with reading.assuming(holds):
                return [holds, *new(entry, *names)]

        self.writes.append(Reset(stamp, Stated(self, stated), assigned))

    def _computed(self, value: Callable[..., Any]) -> Callable[..., list[Term]]:
        def leaf(number: int) -> Callable[..., Any]:
            return lambda *given: self.kind.value.flatten(value(*given))[number]

        return lambda *given: [self.reading.fold(leaf(n), *given, kind=kind) for n, kind in enumerate(self.leaves)]

    def _leaves_of(self, value: Any) -> tuple[Term, ...]:
        return tuple(term_of(self.reading, leaf, v) for leaf, v in zip(self.leaves, self.kind.value.flatten(value), strict=True))

    def __iter__(self) -> Any:
        raise Unsound(f"iteration over the table {self.kind.name}, of any size; use count or reset")

    __len__ = keys = values = items = __bool__ = __iter__


class SymbolicPage:
    """A page of cells: an array."""

    __slots__ = ("array", "cells", "kind", "reading")

    def __init__(self, reading: Symbolic, kind: PageKind, array: Term) -> None:
        self.reading, self.kind, self.array, self.cells = reading, kind, array, packed(kind.cell)

    def __getitem__(self, index: Any) -> Any:
        at = self._at(index)
        cell = cell_of(self.array, at)
        if isinstance(self.kind.index, NameKind) and not _is_real(at):  # under the name of nobody there is the default
            cell = choice(same(at, constant(self.kind.index, NOTHING)), _zero_cell(self.kind), cell)
        leaves = self.cells.unpack(cell)
        return self.kind.cell.build(
            iter([opaque(self.reading, kind, t) for (_, kind), t in zip(self.kind.leaves(), leaves, strict=True)])
        )

    def put(self, index: Any, cell: Any) -> SymbolicPage:
        """This page with one cell replaced."""
        flat = self.kind.cell.flatten(cell)
        leaves = [term_of(self.reading, kind, v) for (_, kind), v in zip(self.kind.leaves(), flat, strict=True)]
        at = self._at(index)
        if isinstance(self.kind.index, NameKind):
            self.reading.must(negation(same(at, constant(self.kind.index, NOTHING))), "a cell under NOTHING")
        return SymbolicPage(self.reading, self.kind, z3.Store(self.array, at, self.cells.pack(leaves)))

    def _at(self, index: Any) -> Term:
        at = term_of(self.reading, self.kind.index, index)
        self.reading.note_term(self.kind.index, at)
        return at

    def scrubbed(self) -> SymbolicPage:
        """The page of zeroes."""
        return SymbolicPage(self.reading, self.kind, zeroes(self.kind))

    def is_zero(self) -> Any:
        """Whether every cell is zero."""
        return self == self.scrubbed()

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, SymbolicPage) or other.kind != self.kind:
            raise Unsound("a page meets what is no page, or one of another kind")
        return opaque(self.reading, FlagKind(), simplified(same(self.array, other.array)))

    def __ne__(self, other: object) -> Any:
        return opaque(self.reading, FlagKind(), negation((self == other).term))

    __hash__ = None  # type: ignore[assignment]


def zeroes(kind: PageKind) -> Term:
    """The page whose every cell is zero."""
    return z3.K(sort_of(kind.index), _zero_cell(kind))


def _zero_cell(kind: PageKind) -> Term:
    zero = zip(kind.leaves(), kind.cell.flatten(kind.cell.default()), strict=True)
    return packed(kind.cell).pack([constant(leaf, v) for (_, leaf), v in zero])


@remembered
def _is_real(name: Term) -> bool:
    """Whether a name is known not to be NOTHING by what it is called: an argument, an answer, or one that a law is claimed for."""
    if not z3.is_const(name):
        return False
    which = called(name).partition("!")[2]
    return bool(which) and (which.startswith("!") or "." not in which)


def _all_equal(a: Sequence[Term], b: Sequence[Term]) -> Term:
    differing = [same(x, y) for x, y in zip(a, b, strict=True) if not identical(x, y)]
    if not differing:
        return TRUE
    return conj(differing) if len(differing) > 1 else differing[0]


def _layered(layers: list[tuple[Term, Sequence[Term]]], last: list[Term]) -> list[Term]:
    for where, new in reversed(layers):
        last = [n if identical(n, o) else choice(where, n, o) for n, o in zip(new, last, strict=True)]
    return last
