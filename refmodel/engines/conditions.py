"""What a text says of every entry of a table at once: conditions of ``count``, ``reset`` and ``assign``, and what is assigned.

Such a condition is worked out when the text states it, about one arbitrary entry under an arbitrary key, and put in place for
whichever entry is asked about later. So it means what it meant where it stands: what its names are bound to afterwards, which path
asks, and what tables have come to hold makes no difference.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

import attrs
import z3

from refmodel.engines.connectives import conj, negation, number_of, same
from refmodel.engines.questions import simplified
from refmodel.engines.templates import Template
from refmodel.engines.terms import TRUE, Term, page_sort, sort_of
from refmodel.language.design import Design
from refmodel.language.kinds import PageKind, TableKind
from refmodel.language.opaque import Opaque, opaque
from refmodel.language.unsound import Unsound

if TYPE_CHECKING:
    from refmodel.engines.symbolic import Obligation, Symbolic
    from refmodel.engines.symbolic_tables import Table


@attrs.frozen(slots=False)
class Lookup:
    """That a run looked at an entry of an arbitrary state."""

    base: str
    table: str
    key: tuple[Term, ...]

    @functools.cached_property
    def ids(self) -> tuple[int, ...]:
        """Equal for identical keys."""
        return tuple([number_of(k) for k in self.key])

    @functools.cached_property
    def identity(self) -> tuple[Any, ...]:
        """Equal for identical lookups."""
        return (self.base, self.table, *self.ids)


@attrs.frozen
class Formal:
    """An arbitrary key of a table, and an arbitrary entry under it."""

    key: tuple[Term, ...]
    leaves: tuple[Term, ...]


@functools.cache
def formal(kind: TableKind) -> Formal:
    key = tuple(z3.Const(f"{kind.name}.key{i}!", sort_of(k)) for i, k in enumerate(kind.keys))
    if isinstance(kind.value, PageKind):
        return Formal(key, (z3.Const(f"{kind.name}.page!", page_sort(kind.value)),))
    leaves = kind.value.leaves()
    return Formal(key, tuple(z3.Const(f"{kind.name}.entry.{path or 'value'}!", sort_of(leaf)) for path, leaf in leaves))


class Stated:
    """Terms about an arbitrary entry, and what was looked at to make them."""

    def __init__(self, table: Table, compute: Callable[..., list[Term]]) -> None:
        """``compute`` is given an entry and the parts of its key, and only looks."""
        self.formal, reading = formal(table.kind), table.reading
        entry = table.value_of(self.formal.leaves)
        names = [opaque(reading, kind, k) for kind, k in zip(table.kind.keys, self.formal.key, strict=True)]
        outer = reading.lookups, reading.counts, reading.noted
        reading.lookups, reading.counts, reading.noted = {}, {}, {}
        try:
            terms, owed = reading.alone(lambda: compute(entry, *names))
            self.lookups, self.counts = list(reading.lookups.values()), list(reading.counts.values())
        finally:
            reading.lookups, reading.counts, reading.noted = outer
        self.number = len(terms)
        self.template = Template(
            [*self.formal.key, *self.formal.leaves],
            [*terms, *(k for x in self.lookups for k in x.key), *(c.number for c in self.counts)],
        )
        if owed:
            owe_of_any_entry(table, self.formal, owed)
            leaves = table.peek(self.formal.key)
            self.at(reading, self.formal.key, leaves[-len(self.formal.leaves) :])  # so that laws are known of what they look at

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal where the terms are, and what was looked at to make them."""
        looked = [(x.base, x.table, len(x.key)) for x in self.lookups]
        counted = [(c.base, c.table, c.counting.name) for c in self.counts]
        return self.number, *looked, *counted, *[number_of(t) for t in self.template.terms]

    def at(self, reading: Symbolic, key: Sequence[Term], leaves: Sequence[Term]) -> list[Term]:
        """The terms about this entry; that it was looked at is noted."""
        found = self.template.at([*key, *leaves])
        rest = iter(found[self.number :])
        for x in self.lookups:
            reading.note(Lookup(x.base, x.table, tuple([next(rest) for _ in x.key])))
        for c in self.counts:
            later = tuple(each.of_names(self.template.formal, [*key, *leaves]) for each in c.later)
            reading.note_count(attrs.evolve(c, number=next(rest), later=later))
        return [simplified(t) for t in found[: self.number]]


def owe_of_any_entry(
    table: Table, at: Formal, owed: Sequence[Obligation], formals: Sequence[Term] = (), names: Sequence[Term] = ()
) -> None:
    """What must hold of every entry must hold of an arbitrary one, and of these names in the place of the formal ones."""
    leaves = table.peek(at.key)
    whole = Template([*at.leaves, *formals], [conj([*o.conditions, z3.BoolVal(True)]) for o in owed] + [o.holds for o in owed])
    terms = whole.at([*leaves[-len(at.leaves) :], *names])
    real = [negation(n) for n in table.nobody(at.key)] + (leaves[:1] if table.domain is not None else [])
    for conditions, holds, o in zip(terms, terms[len(owed) :], owed, strict=False):
        table.reading.owe([attrs.evolve(o, conditions=(*real, conditions), holds=holds)])


# ---------------------------------------------------------------- counting


@attrs.frozen(eq=False)
class Counting:
    """What makes an entry count, by its key and by the names that the condition speaks of besides."""

    name: str
    """Equal for conditions that mean the same and speak of as much."""
    template: Template

    def holds(self, key: Sequence[Term], leaves: Sequence[Term], spoken_of: Sequence[Term]) -> Term:
        """Whether this entry counts."""
        return simplified(self.template.at([*key, *leaves, *spoken_of])[0])


@attrs.frozen(eq=False, slots=False)
class Later:
    """How many entries count after writes to many: the number, as it stands in terms, and what it is exactly.

    That the two are equal is rarely needed, and takes the solver longest, so it is worked out when it is asked for. The number
    stands for what is true if the entry that it looks at is one that makes a difference, where there is one.
    """

    table: str
    number: Term
    key: tuple[Term, ...]
    """The key of the entry that it looks at."""
    otherwise: Term
    """How many count if that entry makes a difference."""
    differs: Term
    """Whether it does."""
    work_out: Callable[[], tuple[Term, tuple[Counted, ...], tuple[Term, ...]] | None]
    is_last: bool = False
    """Whether nothing was written to the table after that."""

    def of_names(self, formal: Sequence[Term], names: Sequence[Term]) -> Later:
        """The same of these names in the place of the formal ones."""

        def work_out() -> tuple[Term, tuple[Counted, ...], tuple[Term, ...]] | None:
            if self._worked_out is None:
                return None
            exactly, of, sums = self._worked_out
            terms = iter(Template(formal, [exactly, *(counted.number for counted in of), *sums]).at(names))
            return next(terms), tuple([attrs.evolve(counted, number=next(terms)) for counted in of]), tuple(terms)

        number, otherwise, differs, *key = Template(formal, [self.number, self.otherwise, self.differs, *self.key]).at(names)
        return Later(self.table, number, tuple(key), otherwise, differs, work_out)

    @functools.cached_property
    def _worked_out(self) -> tuple[Term, tuple[Counted, ...], tuple[Term, ...]] | None:
        return self.work_out()

    @property
    def exactly(self) -> Term | None:
        """What it is exactly; None where nobody can say."""
        return self._worked_out and self._worked_out[0]

    @property
    def of(self) -> tuple[Counted, ...]:
        """What is counted for that."""
        return self._worked_out[1] if self._worked_out else ()

    @property
    def sums(self) -> tuple[Term, ...]:
        """That of the entries that counted, some were written and the others were not."""
        return self._worked_out[2] if self._worked_out else ()

    @property
    def is_so(self) -> Term:
        """That the number is exact, where that can be said."""
        return TRUE if self.exactly is None else same(self.number, self.exactly)


@attrs.frozen(slots=False)
class Counted:
    """That a run counted entries of an arbitrary state: the number, and which entries count."""

    base: str
    table: str
    number: Term
    counting: Counting
    later: tuple[Later, ...] = ()
    """What is known of as many entries after writes to many."""

    @functools.cached_property
    def which(self) -> int:
        """Equal for identical numbers."""
        return int(number_of(self.number))

    @functools.cached_property
    def one(self) -> Term:
        """That there is at least one."""
        return self.number >= 1

    @functools.cached_property
    def two(self) -> Term:
        """That there are at least two."""
        return self.number >= 2

    def counts(self, table: Table, key: tuple[Term, ...], spoken_of: Sequence[Term] | None = None) -> Term:
        """Whether the arbitrary state's entry under a key counts. Nothing is ever stored under the name of nobody."""
        leaves = table.first(key)
        names = self.number.children() if spoken_of is None else spoken_of
        plain = leaves if table.domain is None else leaves[1:]
        real = [negation(n) for n in table.nobody(key)] + (leaves[:1] if table.domain is not None else [])
        return simplified(conj([*real, self.counting.holds(key, plain, names)]))


@attrs.frozen
class _Condition:
    """A condition as it was read, of formal names."""

    counting: Counting
    occurring: list[int]
    """The numbers of the formal names that it speaks of."""
    named: list[Term]
    owed: Sequence[Obligation]
    """What must hold of every entry for the condition to be worked out."""


_known: dict[Hashable, tuple[_Condition, Any]] = {}
"""Conditions that were worked out before, by code and constants; with what must live as long."""


def counting(table: Table, where: Callable[..., Any]) -> tuple[Counting, list[Term]]:
    """What a condition makes count, and the scalars that it speaks of, by themselves or within records."""
    if not isinstance(where, FunctionType):
        raise Unsound("a condition of a count is a lambda or a function")
    cells = [cell.cell_contents for cell in where.__closure__ or ()]
    spoken_of = [v.term for cell in cells for v in _scalars(cell)]
    if all(isinstance(v, Opaque | Design) for v in cells):
        identity = (table.kind, where.__code__, id(where.__globals__), tuple(_kind_or_state(v, table) for v in cells))
        if identity not in _known:
            _known[identity] = _counting(table, where, cells), where.__globals__
        condition = _known[identity][0]
    else:
        condition = _counting(table, where, cells)
    if condition.owed:
        owe_of_any_entry(table, formal(table.kind), condition.owed, condition.named, spoken_of)
    return condition.counting, [spoken_of[number] for number in condition.occurring]


def _kind_or_state(value: Opaque | Design, table: Table) -> Hashable:
    """What a condition that speaks of a value depends on: its kind; of a state, the constant tables, which are looked at."""
    if not isinstance(value, Design):
        return value.kind
    return type(value), tuple((name, each.base) for name, each in vars(value).items() if name in _constant(table))


class _Changing:
    """In the place of a table that operations write to, where a condition may look at constant ones only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, key: Any) -> Any:
        raise Unsound(f"a condition of a count looks at {self.name}, which operations write to")


def _constants_of(state: Design, table: Table) -> Design:
    """A state of which only what no operation writes to can be looked at: it is the same in all states of a run."""
    view: Design = type(state).__new__(type(state))
    for name, each in vars(state).items():
        setattr(view, name, type(each)(table.reading, each.kind, each.base) if name in _constant(table) else _Changing(name))
    return view


def _constant(table: Table) -> frozenset[str]:
    """The tables that no operation writes to."""
    return frozenset() if table.reading.design is None else table.reading.design.constant


def _scalars(value: Any) -> Iterator[Opaque]:
    """The scalars in a value that stand for many."""
    if isinstance(value, Opaque):
        yield value
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _scalars(getattr(value, field.name))
    elif isinstance(value, tuple):
        for part in value:
            yield from _scalars(part)


def _with(value: Any, scalars: Iterator[Opaque]) -> Any:
    """A value whose scalars are replaced by these."""
    if isinstance(value, Opaque):
        return next(scalars)
    if attrs.has(type(value)):
        return attrs.evolve(value, **{f.name: _with(getattr(value, f.name), scalars) for f in attrs.fields(type(value))})
    return tuple(_with(part, scalars) for part in value) if isinstance(value, tuple) else value


def _counting(table: Table, where: FunctionType, cells: Sequence[Any]) -> _Condition:
    """The condition is read anew, of formal names, because it may happen to speak of one thing twice; and which of them it speaks
    of."""
    reading, at = table.reading, formal(table.kind)
    spoken_of = [v for cell in cells for v in _scalars(cell)]
    named = [z3.Const(f"spoken.of.{i}", v.term.sort()) for i, v in enumerate(spoken_of)]
    formals = iter([opaque(reading, v.kind, t) for v, t in zip(spoken_of, named, strict=True)])
    closure = [CellType(_constants_of(cell, table) if isinstance(cell, Design) else _with(cell, formals)) for cell in cells]
    general = FunctionType(where.__code__, where.__globals__, where.__name__, where.__defaults__, tuple(closure))
    names = [opaque(reading, kind, k) for kind, k in zip(table.kind.keys, at.key, strict=True)]
    outer = reading.lookups, reading.counts, reading.noted
    reading.lookups, reading.counts, reading.noted = {}, {}, {}
    try:
        holds, owed = reading.alone(lambda: reading.fold(general, table.value_of(at.leaves), *names))
        constant = _constant(table)
        looked = bool(reading.counts) or any(x.table not in constant for x in reading.lookups.values())
    finally:
        reading.lookups, reading.counts, reading.noted = outer
    everything = [*at.key, *at.leaves, *named]
    stated = [holds, *(term for o in owed for term in (*o.conditions, o.holds))]
    if looked or not all(_speaks_only_of(term, everything, constant) for term in stated):
        raise Unsound("what is counted may depend on the entry, its key and names, and nothing else")
    return _Condition(*counting_of(at, named, holds), named, owed)


def counting_of(at: Formal, named: Sequence[Term], holds: Term) -> tuple[Counting, list[int]]:
    """A condition of an arbitrary entry and of these formal names, and the numbers of those that occur in it, in the order in which
    they do. So two texts that say the same count the same, whatever else lies in a record that one of them takes a field of."""
    occurring = _occurring(holds, named)
    canonical = [z3.Const(f"spoken.of.{i}", named[number].sort()) for i, number in enumerate(occurring)]
    [holds] = Template([named[number] for number in occurring], [holds]).at(canonical)
    signature = " ".join([str(name.sort()) for name in canonical])
    name = hashlib.sha256(f"{signature}: {holds.sexpr()}".encode()).hexdigest()[:12]
    return Counting(name, Template([*at.key, *at.leaves, *canonical], [holds])), occurring


def _occurring(term: Term, named: Sequence[Term]) -> list[int]:
    """The numbers of the names that occur in a term, in the order in which they do."""
    numbers = {number_of(name): number for number, name in enumerate(named)}
    found: dict[int, None] = {}
    seen: set[int] = set()
    todo = [term]
    while todo:
        t = todo.pop()
        if number_of(t) in seen:
            continue
        seen.add(number_of(t))
        if number_of(t) in numbers:
            found[numbers[number_of(t)]] = None
        todo += reversed(t.children())
    return list(found)


def _speaks_only_of(term: Term, formals: Sequence[Term], tables: frozenset[str]) -> bool:
    """Whether nothing occurs in a term but these, entries of these tables, and constants."""
    allowed = {number_of(f) for f in formals}
    seen: set[int] = set()
    todo = [term]
    while todo:
        t = todo.pop()
        if number_of(t) in seen or number_of(t) in allowed:
            continue
        seen.add(number_of(t))
        if z3.is_app(t) and t.decl().kind() == z3.Z3_OP_UNINTERPRETED and not str(t.decl()).endswith(".NOTHING"):
            parts = str(t.decl()).split(".")  # state.table.leaf
            if len(parts) < 3 or parts[1] not in tables:
                return False
        todo += t.children()
    return True
