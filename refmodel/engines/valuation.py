"""What solver terms come to in a state on ints, worked out without a solver.

The audit of readings compares with this what the text does on ints and what its terms say. It knows nothing of how terms are made:
it takes each by its operator, so that a mistake of the reading's shows.
"""

from __future__ import annotations

import enum
import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import z3

from refmodel.engines.conditions import Counted, Later, formal
from refmodel.engines.connectives import number_of
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.templates import Template
from refmodel.engines.terms import Term, called, sort_of
from refmodel.engines.z3_library import declaration_of, parts_of
from refmodel.language.design import Outline
from refmodel.language.kinds import EnumKind, Kind, PageKind, Scalar, TableKind
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING, Page

sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))


class Unvalued(Exception):
    """A term has no value here: it stands for any number, or has an operator that is not known."""


@attrs.frozen
class Array:
    """A page: what its cells are, but for those that are listed."""

    default: Any
    cells: Mapping[Any, Any]

    def get(self, index: Any) -> Any:
        return self.cells.get(index, self.default)

    def put(self, index: Any, cell: Any) -> Array:
        return Array(self.default, {**self.cells, index: cell})

    def same(self, other: Array) -> bool:
        return self.default == other.default and all(self.get(i) == other.get(i) for i in {*self.cells, *other.cells})


def coded(kind: Scalar, value: Any) -> Any:
    """A scalar of the text's as terms have it."""
    return enum_code(kind.cls, value) if isinstance(kind, EnumKind) else value


@functools.cache
def enum_code(cls: type[enum.Enum], member: enum.Enum) -> tuple[str, str]:
    return str(sort_of(EnumKind(cls)).name()), member.name


def leaves_of(kind: Kind, value: Any) -> list[Any]:
    """The leaves of a value of the text's; of a page, the array."""
    if isinstance(kind, PageKind):
        zero = tuple(leaves_of(kind.cell, value.zero))
        return [Array(zero, {coded(kind.index, i): tuple(leaves_of(kind.cell, c)) for i, c in value.cells.items()})]
    return [coded(leaf, v) for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True)]


class Graph:
    """Terms taken apart, once for all the states that they are asked about."""

    def __init__(self) -> None:
        self._nodes: dict[int, tuple[Term, int, str, list[Term], Any]] = {}
        self._declarations: dict[int, tuple[int, str]] = {}
        self._symbols: dict[str, dict[str, tuple[TableKind, int | None]]] = {}

    def symbols(self, design: Outline, base: str) -> dict[str, tuple[TableKind, int | None]]:
        """The symbols of the tables of an arbitrary state, of the one design that this is about."""
        if base not in self._symbols:
            self._symbols[base] = _symbols_of(design, base)
        return self._symbols[base]

    def node(self, term: Term) -> tuple[Term, int, str, list[Term], Any]:
        """A term, its operator and name, its parts, and what else belongs to it. (A term keeps its id as long as it lives.)"""
        number = number_of(term)
        found = self._nodes.get(number)
        if found is None:
            operator, name = self._declared(term)
            extra: Any = None
            if operator in (z3.Z3_OP_ANUM, z3.Z3_OP_BNUM):
                operator, extra = NUMBER, term.as_long()
            elif operator == z3.Z3_OP_EXTRACT:
                extra = term.decl().params()
            elif operator == z3.Z3_OP_DT_ACCESSOR:
                sort = term.arg(0).sort()
                extra = [sort.accessor(0, i).name() for i in range(sort.constructor(0).arity())].index(name)
            elif operator == z3.Z3_OP_DT_CONSTRUCTOR:
                extra = term.sort().name()
            elif z3.is_bv(term):
                extra = term.size()
            found = self._nodes[number] = term, operator, name, parts_of(term), extra
        return found

    def _declared(self, term: Term) -> tuple[int, str]:
        """The operator of a term, and what it is called. (A declaration is one and the same as long as a term has it.)"""
        number = declaration_of(term)
        if number not in self._declarations:
            declaration = term.decl()
            self._declarations[number] = declaration.kind(), declaration.name()
        return self._declarations[number]


NUMBER = -1


class Valuation:
    """The values of terms about one state, one choice of arguments and answers, and one choice of names."""

    def __init__(
        self,
        design: Outline,
        geometry: Geometry,
        graph: Graph,
        base: str,
        tables: Mapping[str, Mapping[Any, Any]],
        constants: Mapping[str, Any],
        counts: dict[str, Counted],
    ) -> None:
        self.design, self.geometry, self.graph, self.base = design, geometry, graph, base
        self.tables, self.constants, self.counts = tables, constants, counts
        self._supposed: dict[int, Callable[[Valuation], Any]] = {}
        """By the ids of terms that stand for anything: what they are supposed to be."""
        self.chosen: dict[int, tuple[Any, ...]] = {}
        """By the id of a count after writes to many: the key of an entry that makes a difference."""
        self._known: dict[int, Any] = {}
        self._symbols = graph.symbols(design, base)

    def binding(self, **constants: Any) -> Valuation:
        """This valuation with more constants bound."""
        bound = {**self.constants, **constants}
        other = Valuation(self.design, self.geometry, self.graph, self.base, self.tables, bound, self.counts)
        other._supposed = self._supposed
        return other

    def __call__(self, term: Term) -> Any:
        number = number_of(term)
        if number not in self._known:
            supposed = self._supposed.get(number)
            self._known[number] = self._value(*self.graph.node(term)) if supposed is None else supposed(self)
        return self._known[number]

    def suppose(self, laters: Iterable[Later]) -> None:
        """Of counts after writes to many, let the entry that each looks at be one that makes a difference, if there is one, and the
        number be that of the entries that count."""
        for later in laters:
            if later.exactly is not None:
                self._supposed[number_of(later.otherwise)] = partial(Valuation.__call__, term=later.exactly)
                for at, part in enumerate(later.key):
                    self._supposed[number_of(part)] = partial(_part_of_key, later=later, at=at)

    def _value(self, term: Term, operator: int, name: str, parts: Sequence[Term], extra: Any) -> Any:
        if operator == NUMBER:
            return extra
        if operator == z3.Z3_OP_ITE:
            return self(parts[1]) if self(parts[0]) else self(parts[2])
        if operator == z3.Z3_OP_AND:
            return all(self(p) for p in parts)
        if operator == z3.Z3_OP_OR:
            return any(self(p) for p in parts)
        if operator == z3.Z3_OP_IMPLIES:
            return not self(parts[0]) or self(parts[1])
        if operator == z3.Z3_OP_UNINTERPRETED:
            return self._symbol(name, parts)
        if operator == z3.Z3_OP_DT_CONSTRUCTOR:
            return (extra, name) if not parts else tuple(self(p) for p in parts)
        if operator == z3.Z3_OP_DT_ACCESSOR:
            return self(parts[0])[extra]
        values = [self(p) for p in parts]
        if operator in _PLAIN:
            return _PLAIN[operator](*values)
        if operator in _WORDS:
            width = parts[0].size()
            return _WORDS[operator](width, *values) & ((1 << extra) - 1 if isinstance(extra, int) else -1)
        if operator == z3.Z3_OP_EXTRACT:
            high, low = extra
            return values[0] >> low & ((1 << high - low + 1) - 1)
        if operator == z3.Z3_OP_CONCAT:
            result = 0
            for part, value in zip(parts, values, strict=True):
                result = result << part.size() | value
            return result
        raise Unvalued(f"the operator of {term.decl()}")

    def _symbol(self, name: str, parts: Sequence[Term]) -> Any:
        if name in self.constants and not parts:
            return self.constants[name]
        if not parts and name.endswith(".NOTHING"):
            return NOTHING
        if name in self._symbols:
            kind, leaf = self._symbols[name]
            return _entry(kind, self.tables[kind.name], tuple(self(p) for p in parts), leaf)
        if name in self.counts:
            return self.count(self.counts[name], [self(p) for p in parts])
        raise Unvalued(f"{name} stands for anything")

    def count(self, counted: Counted, spoken_of: Sequence[Any]) -> int:
        """How many entries of the state count, by what the condition speaks of."""
        kind = self.design.table(counted.table)
        at = formal(kind)
        formals = [called(t) for t in (*at.key, *at.leaves)]
        names = {f"spoken.of.{i}": value for i, value in enumerate(spoken_of)}
        [holds] = counted.counting.template.terms
        total = 0
        for key, entry in self.tables[kind.name].items():
            parts = key if isinstance(key, tuple) else (key,)
            values = [*(coded(k, v) for k, v in zip(kind.keys, parts, strict=True)), *leaves_of(kind.value, entry)]
            bound = dict(zip(formals, values, strict=True))
            total += bool(Valuation(self.design, self.geometry, self.graph, self.base, self.tables, {**bound, **names}, {})(holds))
        return total


def _part_of_key(value: Valuation, later: Later, at: int) -> Any:
    """A part of the key of an entry that makes a difference; of the first entry, if none does."""
    found = value.chosen.get(number_of(later.number))
    if found is None:
        found = value.chosen[number_of(later.number)] = _that_makes_a_difference(value, later)
    return found[at]


def _that_makes_a_difference(value: Valuation, later: Later) -> tuple[Any, ...]:
    kind = value.design.table(later.table)
    names = [z3.Const(f"supposed.{at}", part.sort()) for at, part in enumerate(later.key)]
    [differs] = Template(later.key, [later.differs]).at(names)
    keys = [tuple(coded(k, v) for k, v in zip(kind.keys, parts, strict=True)) for parts in _keys(kind, value.geometry)]
    for key in keys:
        if value.binding(**{called(name): part for name, part in zip(names, key, strict=True)})(differs):
            return key
    return keys[0]


def _keys(kind: TableKind, geometry: Geometry) -> list[tuple[Any, ...]]:
    """Every key of a table, in parts."""
    return [key if isinstance(key, tuple) else (key,) for key in kind.all_keys(geometry)]


def _entry(kind: TableKind, entries: Mapping[Any, Any], key: tuple[Any, ...], leaf: int | None) -> Any:
    """One scalar of an entry (None: whether it is there)."""
    spelled = tuple(
        next(m for m in k.cls if enum_code(k.cls, m) == v) if isinstance(k, EnumKind) else v
        for k, v in zip(kind.keys, key, strict=True)
    )
    at = spelled if len(spelled) != 1 else spelled[0]
    if leaf is None:
        return at in entries
    return leaves_of(kind.value, entries[at] if at in entries else kind.value.default())[leaf]


def _symbols_of(design: Outline, base: str) -> dict[str, tuple[TableKind, int | None]]:
    found: dict[str, tuple[TableKind, int | None]] = {}
    for kind in design.tables:
        if kind.partial:
            found[f"{base}.{kind.name}!domain"] = kind, None
        paths = ["page"] if isinstance(kind.value, PageKind) else [path or "value" for path, _ in kind.value.leaves()]
        for number, path in enumerate(paths):
            found[f"{base}.{kind.name}.{path}"] = kind, number
    return found


def _equal(a: Any, b: Any) -> bool:
    return a.same(b) if isinstance(a, Array) else bool(a == b)


_PLAIN: dict[int, Callable[..., Any]] = {
    z3.Z3_OP_TRUE: lambda: True,
    z3.Z3_OP_FALSE: lambda: False,
    z3.Z3_OP_NOT: lambda a: not a,
    z3.Z3_OP_EQ: _equal,
    z3.Z3_OP_XOR: lambda a, b: bool(a) != bool(b),
    z3.Z3_OP_DISTINCT: lambda *v: all(not _equal(a, b) for i, a in enumerate(v) for b in v[i + 1 :]),
    z3.Z3_OP_ADD: lambda *v: sum(v),
    z3.Z3_OP_SUB: lambda a, *v: a - sum(v),
    z3.Z3_OP_UMINUS: lambda a: -a,
    z3.Z3_OP_MUL: lambda a, *v: a * (v[0] if len(v) == 1 else _PLAIN[z3.Z3_OP_MUL](*v)),
    z3.Z3_OP_LE: lambda a, b: a <= b,
    z3.Z3_OP_LT: lambda a, b: a < b,
    z3.Z3_OP_GE: lambda a, b: a >= b,
    z3.Z3_OP_GT: lambda a, b: a > b,
    z3.Z3_OP_ULEQ: lambda a, b: a <= b,
    z3.Z3_OP_ULT: lambda a, b: a < b,
    z3.Z3_OP_UGEQ: lambda a, b: a >= b,
    z3.Z3_OP_UGT: lambda a, b: a > b,
    z3.Z3_OP_SELECT: lambda array, index: array.get(index),
    z3.Z3_OP_STORE: lambda array, index, cell: array.put(index, cell),
    z3.Z3_OP_CONST_ARRAY: lambda cell: Array(cell, {}),
    z3.Z3_OP_ZERO_EXT: lambda a: a,
}
_WORDS: dict[int, Callable[..., int]] = {
    z3.Z3_OP_BADD: lambda w, *v: sum(v),
    z3.Z3_OP_BSUB: lambda w, a, *v: a - sum(v),
    z3.Z3_OP_BNEG: lambda w, a: -a,
    z3.Z3_OP_BMUL: lambda w, a, *v: a * (v[0] if len(v) == 1 else _WORDS[z3.Z3_OP_BMUL](w, *v)),
    z3.Z3_OP_BUDIV: lambda w, a, b: a // b if b else -1,
    z3.Z3_OP_BUREM: lambda w, a, b: a % b if b else a,
    z3.Z3_OP_BUDIV_I: lambda w, a, b: a // b if b else -1,
    z3.Z3_OP_BUREM_I: lambda w, a, b: a % b if b else a,
    z3.Z3_OP_BSHL: lambda w, a, b: a << b if b < w else 0,
    z3.Z3_OP_BLSHR: lambda w, a, b: a >> b if b < w else 0,
    z3.Z3_OP_BAND: lambda w, a, *v: a & (v[0] if len(v) == 1 else _WORDS[z3.Z3_OP_BAND](w, *v)),
    z3.Z3_OP_BOR: lambda w, a, *v: a | (v[0] if len(v) == 1 else _WORDS[z3.Z3_OP_BOR](w, *v)),
    z3.Z3_OP_BXOR: lambda w, a, *v: a ^ (v[0] if len(v) == 1 else _WORDS[z3.Z3_OP_BXOR](w, *v)),
    z3.Z3_OP_BNOT: lambda w, a: ~a,
}

__all__ = ["Array", "Graph", "Page", "Table", "Unvalued", "Valuation", "coded", "leaves_of"]
