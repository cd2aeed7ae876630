"""A design running on solver terms: one run of the text stands for that run in every state, of every size.

Names are uninterpreted sorts, of which z3 knows only equality. A table is a function symbol for each scalar of its records,
and what a run writes is kept as a list: reading looks the list through, so terms speak of the first state only. Where the
text tests a truth value, the run forks, and each path carries its conditions.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

import attrs
import z3

from refmodel.language.asking import Refused
from refmodel.language.design import Outline
from refmodel.language.forks import Forks
from refmodel.language.joining import Impure
from refmodel.language.kinds import (
    NOTHING,
    EnumKind,
    FlagKind,
    Kind,
    NameKind,
    NaturalKind,
    PageKind,
    Scalar,
    TableKind,
    WordKind,
)
from refmodel.language.opaque import Opaque, check_constant, opaque, term_of
from refmodel.language.unsound import Unsound, text_position

Term = Any  # a z3 expression; the binding has no types


@functools.cache
def _enum_sort(kind: EnumKind) -> tuple[Any, dict[Any, Term]]:
    sort, members = z3.EnumSort(f"{kind.cls.__module__}.{kind.cls.__qualname__}", [m.name for m in kind.cls])
    return sort, dict(zip(kind.cls, members, strict=True))


def sort_of(kind: Scalar) -> Any:
    """The z3 sort of a scalar."""
    if isinstance(kind, FlagKind):
        return z3.BoolSort()
    if isinstance(kind, WordKind):
        return z3.BitVecSort(kind.width)
    if isinstance(kind, NameKind):
        return z3.DeclareSort(kind.sort)
    if isinstance(kind, EnumKind):
        return _enum_sort(kind)[0]
    return z3.IntSort()


def constant(kind: Scalar, value: Any) -> Term:
    """A concrete scalar as a term. The only name that a text can write down is NOTHING."""
    check_constant(kind, value)
    if isinstance(kind, FlagKind):
        return z3.BoolVal(value)
    if isinstance(kind, WordKind):
        return z3.BitVecVal(value, kind.width)
    if isinstance(kind, EnumKind):
        return _enum_sort(kind)[1][value]
    if isinstance(kind, NameKind):
        if value != NOTHING:
            raise Unsound(f"a {kind.sort} meets the number {value}; names know only other names")
        return z3.Const(f"{kind.sort}.NOTHING", sort_of(kind))
    return z3.IntVal(value)


# ---------------------------------------------------------------- states


@attrs.frozen
class Lookup:
    """That a run looked at an entry of an arbitrary state."""

    base: str
    table: str
    key: tuple[Term, ...]

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for identical lookups."""
        return (self.base, self.table, *(k.get_id() for k in self.key))


@attrs.frozen
class Counted:
    """That a run counted entries of an arbitrary state: the number, and which entries count."""

    base: str
    table: str
    number: Term
    where: Callable[..., Any]


@attrs.frozen
class _Put:
    stamp: int
    key: tuple[Term, ...]
    leaves: tuple[Term, ...]
    gone: bool = False


@attrs.frozen
class _Reset:
    stamp: int
    where: Callable[..., Any]
    memo: dict[tuple[int, ...], Term] = attrs.field(factory=dict, eq=False)


class Table:
    """A table: an arbitrary function, and what has been written over it since."""

    def __init__(self, reading: Symbolic, kind: TableKind, base: str) -> None:
        self.reading, self.kind, self.base = reading, kind, base
        self.page = isinstance(kind.value, PageKind)
        self.leaves = [leaf for _, leaf in kind.value.leaves()]
        self.writes: list[_Put | _Reset] = []
        sorts = [sort_of(k) for k in kind.keys]
        self.functions = [z3.Function(f"{base}.{kind.name}.{path or 'value'}", *sorts, self._leaf_sort(leaf))
                          for path, leaf in kind.value.leaves()]
        self.domain = z3.Function(f"{base}.{kind.name}.domain", *sorts, z3.BoolSort()) if kind.partial else None

    def _leaf_sort(self, leaf: Scalar) -> Any:
        sort = sort_of(leaf)
        return z3.ArraySort(sort_of(self.kind.value.index), sort) if isinstance(self.kind.value, PageKind) else sort

    def frozen(self) -> Table:
        """The table as it is now."""
        other = Table(self.reading, self.kind, self.base)
        other.writes = list(self.writes)
        return other

    def parts(self, key: Any) -> tuple[Term, ...]:
        given = key if isinstance(key, tuple) else (key,)
        if len(given) != len(self.kind.keys):
            raise Unsound(f"table {self.kind.name} has a key of {len(self.kind.keys)} parts, not {len(given)}")
        return tuple(term_of(self.reading, kind, part) for kind, part in zip(self.kind.keys, given, strict=True))

    # ------------------------------------------------------------ reading

    def first(self, key: tuple[Term, ...]) -> list[Term]:
        """The leaves (for a partial table, whether it is there first) that the arbitrary state holds."""
        self.reading.note(Lookup(self.base, self.kind.name, key))
        functions = self.functions if self.domain is None else [self.domain, *self.functions]
        return [f(*key) for f in functions]

    def nobody(self, key: tuple[Term, ...]) -> list[Term]:
        """For each part of a key that is a name, that it is NOTHING."""
        return [part == constant(kind, NOTHING) for kind, part in zip(self.kind.keys, key, strict=True)
                if isinstance(kind, NameKind)]

    def defaults(self) -> list[Term]:
        kind = self.kind.value.cell if isinstance(self.kind.value, PageKind) else self.kind.value
        values = [constant(leaf, v) for leaf, v in zip(self.leaves, kind.flatten(kind.default()), strict=True)]
        if isinstance(self.kind.value, PageKind):
            values = [z3.K(sort_of(self.kind.value.index), v) for v in values]
        return values

    def peek(self, key: tuple[Term, ...], as_of: int | None = None) -> list[Term]:
        """The leaves of an entry; ``as_of`` leaves out what was written at that stamp or later."""
        layers: list[tuple[Term, Sequence[Term]]] = []
        for write in reversed(self.writes):
            if as_of is not None and write.stamp >= as_of:
                continue
            where = self._covers(write, key)
            if z3.is_false(where):
                continue
            new = self._written(write)
            if z3.is_true(where):
                return _layered(layers, list(new))
            layers.append((where, new))
        return _layered(layers, self.first(key))

    def _written(self, write: _Put | _Reset) -> Sequence[Term]:
        if isinstance(write, _Reset):
            return self.defaults() if self.domain is None else [z3.BoolVal(False), *self.defaults()]
        return write.leaves if self.domain is None else (z3.BoolVal(not write.gone), *write.leaves)

    def _covers(self, write: _Put | _Reset, key: tuple[Term, ...]) -> Term:
        if isinstance(write, _Put):
            return _all_equal(write.key, key)
        identity = tuple(k.get_id() for k in key)
        if identity not in write.memo:
            entry = self.value(self.peek(key, as_of=write.stamp))
            names = [opaque(self.reading, kind, k) for kind, k in zip(self.kind.keys, key, strict=True)]
            with self.reading.at(write.stamp):
                write.memo[identity] = self.reading.fold(write.where, entry, *names)
        return write.memo[identity]

    def value(self, leaves: Sequence[Term]) -> Any:
        """Leaves as a value of the text."""
        plain = list(leaves if self.domain is None else leaves[1:])
        if isinstance(self.kind.value, PageKind):
            return SymbolicPage(self.reading, self.kind.value, plain)
        return self.kind.value.build(iter([opaque(self.reading, leaf, t) for leaf, t in zip(self.leaves, plain, strict=True)]))

    def __getitem__(self, key: Any) -> Any:
        leaves = self.peek(self.parts(key), self.reading.as_of)
        if self.domain is not None:
            self.reading.must(leaves[0], f"{self.kind.name} has no such key")
        return self.value(leaves)

    def __contains__(self, key: Any) -> bool:
        if self.domain is None:
            raise Unsound(f"membership in the total table {self.kind.name}")
        return self.reading.decide(self.peek(self.parts(key), self.reading.as_of)[0])

    # ------------------------------------------------------------ writing

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(self.kind.value, PageKind):
            if not isinstance(value, SymbolicPage):
                raise Unsound(f"{value!r} is no page")
            leaves = value.arrays
        else:
            leaves = [term_of(self.reading, leaf, v)
                      for leaf, v in zip(self.leaves, self.kind.value.flatten(value), strict=True)]
        parts = self.parts(key)
        for nobody in self.nobody(parts):
            self.reading.must(z3.Not(nobody), f"a store to {self.kind.name} under the name of nobody")
        self.writes.append(_Put(self.reading.stamp(), parts, tuple(leaves)))

    def __delitem__(self, key: Any) -> None:
        if self.domain is None:
            raise Unsound(f"deletion from the total table {self.kind.name}")
        parts = self.parts(key)
        self.reading.must(self.peek(parts)[0], f"{self.kind.name} has no such key")
        self.writes.append(_Put(self.reading.stamp(), parts, tuple(self.defaults()), gone=True))

    def reset(self, where: Callable[..., Any]) -> None:
        """Back to the default wherever a condition holds."""
        self.writes.append(_Reset(self.reading.stamp(), where))

    def __iter__(self) -> Any:
        raise Unsound(f"iteration over the table {self.kind.name}, of any size; use count or reset")

    __len__ = keys = values = items = __bool__ = __iter__


class SymbolicPage:
    """A page of cells: an array for each scalar of a cell."""

    __slots__ = ("arrays", "kind", "reading")

    def __init__(self, reading: Symbolic, kind: PageKind, arrays: list[Term]) -> None:
        self.reading, self.kind, self.arrays = reading, kind, arrays

    def _leaves(self) -> list[Scalar]:
        return [leaf for _, leaf in self.kind.leaves()]

    def __getitem__(self, index: Any) -> Any:
        at = term_of(self.reading, self.kind.index, index)
        self.reading.note_term(self.kind.index, at)
        return self.kind.cell.build(iter([opaque(self.reading, leaf, z3.Select(a, at))
                                          for leaf, a in zip(self._leaves(), self.arrays, strict=True)]))

    def put(self, index: Any, cell: Any) -> SymbolicPage:
        """This page with one cell replaced."""
        at = term_of(self.reading, self.kind.index, index)
        self.reading.note_term(self.kind.index, at)
        flat = self.kind.cell.flatten(cell)
        return SymbolicPage(self.reading, self.kind, [
            z3.Store(a, at, term_of(self.reading, leaf, v))
            for leaf, a, v in zip(self._leaves(), self.arrays, flat, strict=True)])

    def scrubbed(self) -> SymbolicPage:
        """The page of zeroes."""
        zero = self.kind.cell.flatten(self.kind.cell.default())
        sort = sort_of(self.kind.index)
        return SymbolicPage(self.reading, self.kind,
                            [z3.K(sort, constant(leaf, v)) for leaf, v in zip(self._leaves(), zero, strict=True)])

    def is_zero(self) -> Any:
        """Whether every cell is zero."""
        return self == self.scrubbed()

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, SymbolicPage) or other.kind != self.kind:
            raise Unsound("a page meets what is no page, or one of another kind")
        same = z3.And([a == b for a, b in zip(self.arrays, other.arrays, strict=True)])
        return opaque(self.reading, FlagKind(), simplified(same))

    def __ne__(self, other: object) -> Any:
        return opaque(self.reading, FlagKind(), z3.Not((self == other).term))

    __hash__ = None  # type: ignore[assignment]


def _text_of(code: CodeType) -> str:
    """A condition's name: where its text is, and which of several on one line."""
    return f"{code.co_qualname}:{code.co_firstlineno}:{zlib.crc32(repr((code.co_code, code.co_names, code.co_freevars)).encode())}"


def simplified(term: Term) -> Term:
    """As z3 rewrites it."""
    return z3.simplify(term)


def _all_equal(a: Sequence[Term], b: Sequence[Term]) -> Term:
    differing = [x == y for x, y in zip(a, b, strict=True) if not x.eq(y)]
    if not differing:
        return z3.BoolVal(True)
    return z3.And(differing) if len(differing) > 1 else differing[0]


def _layered(layers: list[tuple[Term, Sequence[Term]]], last: list[Term]) -> list[Term]:
    for where, new in reversed(layers):
        last = [n if n.eq(o) else z3.If(where, n, o) for n, o in zip(new, last, strict=True)]
    return last


# ---------------------------------------------------------------- the reading


@attrs.frozen
class Obligation:
    """Something that must hold at a point of a path, lest ints and terms part (an overflow, a missing key)."""

    conditions: tuple[Term, ...]
    holds: Term
    why: str


class _AsOf:
    def __init__(self, reading: Symbolic, stamp: int | None) -> None:
        self.reading, self.stamp = reading, stamp

    def __enter__(self) -> None:
        self.before, self.reading.as_of = self.reading.as_of, self.stamp

    def __exit__(self, *_: object) -> None:
        self.reading.as_of = self.before


class Symbolic:
    """The path under way: its conditions, what it looked at, what it was told."""

    def __init__(self, design: Outline | None = None, assumptions: Sequence[Term] = (), prune: bool = True) -> None:
        self.design, self.prune = design, prune
        self.forks = Forks()
        self.solver = z3.SimpleSolver()
        self.solver.add(*assumptions)
        self.as_of: int | None = None
        self._folding = 0
        self.begin()

    def begin(self) -> None:
        """Start a path."""
        self.conditions: list[Term] = []
        self.known: dict[int, bool] = {}
        self._kept: list[Term] = []
        self.answers: list[Any] = []
        self.obligations: list[Obligation] = []
        self.lookups: dict[tuple[Any, ...], Lookup] = {}
        self.counts: dict[int, Counted] = {}
        self.noted: dict[int, tuple[Scalar, Term]] = {}
        self._stamp = 0
        self._outer: tuple[Term, ...] = ()

    def paths(self) -> Iterator[None]:
        """Loop over this to follow every path."""
        for _ in self.forks.paths():
            self.begin()
            Unsound.latest = None
            yield
            if Unsound.latest is not None:
                raise Unsound.latest

    def state(self, base: str) -> Any:
        """An arbitrary state."""
        assert self.design is not None
        state = self.design.blank()
        for kind in self.design.tables:
            setattr(state, kind.name, Table(self, kind, base))
        return state

    def arbitrary(self, kind: Kind, name: str) -> Any:
        """An arbitrary value."""
        leaves = []
        for path, leaf in kind.leaves():
            term = z3.Const(f"{name}.{path}" if path else name, sort_of(leaf))
            self.note_term(leaf, term)
            leaves.append(opaque(self, leaf, term))
        return kind.build(iter(leaves))

    def note(self, lookup: Lookup) -> None:
        self.lookups.setdefault(lookup.identity, lookup)

    def note_term(self, kind: Scalar, term: Term) -> None:
        self.noted.setdefault(term.get_id(), (kind, term))

    def stamp(self) -> int:
        """The number of the next write."""
        if self._folding:
            raise Impure
        self._stamp += 1
        return self._stamp

    def at(self, stamp: int | None) -> _AsOf:
        """Within this, tables show what they held before that write."""
        return _AsOf(self, stamp)

    # ------------------------------------------------------------ what values ask

    def decide(self, term: Term) -> bool:
        cond = simplified(term)
        if z3.is_true(cond):
            return True
        if z3.is_false(cond):
            return False
        known = self.known.get(cond.get_id())
        if known is not None:
            return known
        if self.forks.replaying():
            choice = self.forks.again()
        else:
            choice = self.forks.take(self._feasible(cond))
        self._assume(cond if choice else z3.Not(cond))
        self._learn(cond, choice)
        return bool(choice)

    def _feasible(self, cond: Term) -> list[bool]:
        if not self.prune or self._folding:
            return [True, False]
        options = [value for value in (True, False)
                   if self.solver.check(*self.conditions, cond if value else z3.Not(cond)) != z3.unsat]
        if not options:
            raise Refused
        return options

    def _learn(self, cond: Term, value: bool) -> None:
        negation = simplified(z3.Not(cond))
        self._kept += [cond, negation]  # terms must live as long as their ids are used
        self.known[cond.get_id()], self.known[negation.get_id()] = value, not value

    def _assume(self, cond: Term) -> None:
        self.conditions.append(cond)

    def required(self, term: Term) -> None:
        cond = simplified(term)
        if z3.is_true(cond):
            return
        if self._folding:
            raise Impure
        if z3.is_false(cond) or self.known.get(cond.get_id()) is False:
            raise Refused
        self._assume(cond)
        self._learn(cond, True)
        if self.prune and not self._folding and self.solver.check(*self.conditions) == z3.unsat:
            raise Refused

    def must(self, term: Term, why: str) -> None:
        cond = simplified(term)
        if not z3.is_true(cond):
            why = f"{text_position()}: {why}"
            self.obligations.append(Obligation((*self._outer, *self.conditions), cond, why))

    def constant(self, kind: Scalar, value: Any) -> Term:
        return constant(kind, value)

    def equal(self, a: Term, b: Term) -> Term:
        return z3.BoolVal(True) if a.eq(b) else a == b

    def both(self, a: Term, b: Term) -> Term:
        return z3.And(a, b)

    def either(self, a: Term, b: Term) -> Term:
        return z3.Or(a, b)

    def negated(self, a: Term) -> Term:
        return z3.Not(a)

    def below(self, kind: Scalar, a: Term, b: Term) -> Term:
        return z3.ULT(a, b) if isinstance(kind, WordKind) else a < b

    def arithmetic(self, operator: str, kind: Scalar, a: Term, b: Term) -> tuple[Term, Term | None]:
        if isinstance(kind, NaturalKind):
            return (a + b, None) if operator == "+" else (a - b, None)
        if operator == "+":
            return a + b, z3.BVAddNoOverflow(a, b, False)
        if operator == "-":
            return a - b, z3.BVSubNoUnderflow(a, b, False)
        if operator == "*":
            return a * b, z3.BVMulNoOverflow(a, b, False)
        if operator == "<<":
            return a << b, z3.And(z3.ULT(b, a.size()), z3.LShR(a << b, b) == a)
        return (z3.UDiv(a, b) if operator == "//" else z3.URem(a, b)), b != 0

    def bitwise(self, operator: str, kind: Scalar, a: Term, b: Term) -> Term:
        return {"&": lambda: a & b, "|": lambda: a | b, "^": lambda: a ^ b, "&~": lambda: a & ~b,
                ">>": lambda: z3.LShR(a, b)}[operator]()

    def premise(self, term: Term) -> None:
        """Vacuity is measured on concrete states."""

    # ------------------------------------------------------------ what the text asks

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        if self._folding:
            raise Impure
        value = self.arbitrary(kind, f"choice{len(self.answers)}")
        self.answers.append((kind, value))
        if isinstance(kind, NameKind):
            self.required(z3.Not(value.term == constant(kind, NOTHING)))
        self.required(self.fold(where, value))
        return value

    def yes(self, question: str) -> bool:
        if self._folding:
            raise Impure
        if self.forks.replaying():
            answer = self.forks.again()
        else:
            answer = self.forks.take([False, True])
        self.answers.append(answer)
        return bool(answer)

    def count(self, table: Table, where: Callable[..., Any]) -> Any:
        total = self._first_count(table, where)
        for write in table.writes:
            if self.as_of is not None and write.stamp >= self.as_of:
                break
            if isinstance(write, _Reset):  # how many are left, nobody says: any number, which claims less than is so
                code = where.__code__
                total = z3.Int(f"{table.base}.count.{table.kind.name}.{_text_of(code)}.reset{write.stamp}")
                continue
            names = [opaque(self, kind, k) for kind, k in zip(table.kind.keys, write.key, strict=True)]
            old = table.peek(write.key, as_of=write.stamp)
            total = total - self._one(table, where, old, names) + self._one(table, where, table._written(write), names)
        return opaque(self, NaturalKind(), simplified(total))

    def _one(self, table: Table, where: Callable[..., Any], leaves: Sequence[Term], names: list[Any]) -> Term:
        holds = self.fold(where, table.value(leaves), *names)
        if table.domain is not None:
            holds = z3.And(leaves[0], holds)
        return z3.If(holds, z3.IntVal(1), z3.IntVal(0))

    def _first_count(self, table: Table, where: Callable[..., Any]) -> Term:
        """How many entries of the arbitrary state count: an unknown number, one for each text of the condition."""
        captured = []
        for cell in where.__closure__ or ():
            value = cell.cell_contents
            if not isinstance(value, Opaque):
                raise Unsound("what is counted may depend on the entry, its key and names, and nothing else")
            captured.append(value.term)
        code = where.__code__
        name = f"{table.base}.count.{table.kind.name}.{_text_of(code)}"
        number = (z3.Function(name, *(t.sort() for t in captured), z3.IntSort())(*captured) if captured
                  else z3.Int(name))
        self.counts.setdefault(number.get_id(), Counted(table.base, table.kind.name, number, where))
        return number

    def reset(self, table: Table, where: Callable[..., Any]) -> None:
        table.reset(where)

    def looked_at(self, operand: Callable[[], Any], assuming: Term) -> Term:
        """An operand of a condition, if all it does is look, and where the operand before it lets it be looked at."""
        outer, self._outer = self._outer, (*self._outer, assuming)
        try:
            return self.fold(operand)
        finally:
            self._outer = outer

    def fold(self, predicate: Callable[..., Any], *arguments: Any) -> Term:
        """A predicate as one formula: its paths followed apart and put together."""
        outer = self.forks, self.conditions, self.known, self._outer
        self._outer = (*self._outer, *self.conditions)
        self._folding += 1
        paths: list[tuple[list[Term], Term]] = []
        try:
            self.forks = Forks()
            for _ in self.forks.paths():
                self.conditions, self.known = [], dict(outer[2])
                value = predicate(*arguments)
                paths.append((self.conditions, term_of(self, FlagKind(), value)))
        finally:
            self._folding -= 1
            self.forks, self.conditions, self.known, self._outer = outer
        result = paths[-1][1]
        for conditions, value in reversed(paths[:-1]):
            result = z3.If(z3.And(conditions) if len(conditions) != 1 else conditions[0], value, result)
        return simplified(result)
