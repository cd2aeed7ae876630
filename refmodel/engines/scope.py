"""Lawful states of a small size, as formulas: where an unbounded proof fails, a counterexample is looked for here.

Each sort has as many names as the geometry says, every law is assumed at all of them, and what is counted is added up entry by
entry. A model is then a lawful state on ints and a step from it. It is run, and shown only if it breaks the law there too.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import z3

from refmodel.engines.conditions import Counted
from refmodel.engines.machine import Broken, Machine, Step, aborted
from refmodel.engines.parts import put, take
from refmodel.engines.questions import limit
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table, zeroes
from refmodel.engines.terms import Term, constant, packed, sort_of
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import (
    EnumKind,
    FlagKind,
    Kind,
    NameKind,
    NaturalKind,
    PageKind,
    RecordKind,
    Scalar,
    TableKind,
    WordKind,
    held_by,
)
from refmodel.language.laws import Law
from refmodel.language.opaque import Opaque
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING

if TYPE_CHECKING:
    from refmodel.engines.formulas import Formula


LAWS = 2_000
"""Laws at names, up to which a counterexample is looked for in a larger geometry too."""
NAMES = 5
"""Names of a sort in which a counterexample is looked for, at most: every law is assumed at all of them."""
SPOKEN_OF = 1_000
"""Ways in which what a count speaks of may be given; where there are more, it is added up for what it speaks of only."""


@attrs.frozen
class Witness:
    """A lawful state on ints, a step from it, and the law that the step breaks."""

    geometry: Geometry
    tables: dict[str, dict[Any, Any]]
    step: Step
    outcome: Any
    broken: Broken
    earlier: tuple[dict[str, dict[Any, Any]], ...] = ()
    """For an operation that others interrupt: the lawful states from which it took its earlier parts. ``tables`` is the one from
    which it goes on, and breaks the law."""


def small(design: Outline, more: int) -> Geometry:
    """A design's own geometry with so many names more of each sort, and with ``NAMES`` at most."""
    own = design.cls.geometry
    return attrs.evolve(own, sizes={sort: min(own.size(sort) + more, NAMES) for sort in sorts_of(design)})


def larger(design: Outline) -> Geometry | None:
    """A geometry with a name more of each sort; None if there is none, or if too many laws would have to be assumed in it."""
    geometry = small(design, 1)
    laws = sum(math.prod(len(list(kind.values(geometry))) for _, kind in law.names) for law in design.laws if law.of_state)
    return None if geometry == small(design, 0) or laws > LAWS else geometry


def holding(geometry: Geometry, given: Iterable[tuple[Kind, Any]]) -> Geometry:
    """The geometry with the numbers and the records that a step is given, or that memory holds at power-on, where it has not these:
    a solver takes any."""
    plain = [each for kind, value in given for each in _without_pages(kind, value)]
    numbers = {
        number
        for kind, value in plain
        for (_, leaf), number in zip(kind.leaves(), kind.flatten(value), strict=True)
        if isinstance(leaf, NaturalKind | WordKind) and number not in leaf.values(geometry)
    }
    only = dict(geometry.only)
    for kind, value in plain:
        if isinstance(kind, RecordKind) and kind.cls in only and value not in [*kind.values(geometry), *only[kind.cls]]:
            only[kind.cls] = (*only[kind.cls], value)
    if not numbers and only == geometry.only:
        return geometry
    return attrs.evolve(geometry, also=tuple(sorted({*geometry.also, *numbers})), only=only)


def _without_pages(kind: Kind, value: Any) -> list[tuple[Kind, Any]]:
    """A value; for a page its cells, but for those that hold zero."""
    return [(kind.cell, cell) for cell in value.cells.values()] if isinstance(kind, PageKind) else [(kind, value)]


class Scope:
    """The lawful states of one geometry: the design's own, or one with more names of each sort."""

    def __init__(self, design: Outline, formulas: Sequence[Formula], base: str, geometry: Geometry | None = None) -> None:
        self.design, self.base = design, base
        self.geometry = geometry or small(design, 0)
        self._reading = Symbolic(design, prune=False)
        self.asserted: list[Term] = []
        self._name_names()
        self.names_only = list(self.asserted)
        self._bound_entries()
        for formula in formulas:
            self._assume(formula)

    def solver(self, timeout: int) -> Any:
        """A solver that knows the lawful states."""
        solver = z3.Solver()
        limit(solver, timeout)
        solver.add(*self.asserted)
        return solver

    # ------------------------------------------------------------ what there is

    def names(self, kind: Scalar, nobody: bool = False) -> list[Term]:
        """The terms for every value of a scalar."""
        if isinstance(kind, NameKind):
            terms = [z3.Const(f"{kind.sort}#{i}", sort_of(kind)) for i in range(self.geometry.size(kind.sort))]
            return [*terms, constant(kind, NOTHING)] if nobody else terms
        if isinstance(kind, NaturalKind):
            return [z3.IntVal(i) for i in range(self.geometry.naturals + 1)]
        return [constant(kind, value) for value in kind.values(self.geometry)]

    def among(self, kind: Scalar, term: Term, nobody: bool = True) -> Term:
        """That a term is one of the names there are."""
        return z3.Or([term == name for name in self.names(kind, nobody)])

    def listed(self, kind: Kind, leaves: Sequence[Term]) -> Term:
        """That leaves are those of a value that the geometry lists for this kind, if it lists any."""
        if isinstance(kind, PageKind):
            return z3.And([self.listed(kind.cell, cell) for cell in self._cells(kind, leaves)])
        if not isinstance(kind, RecordKind) or kind.cls not in self.geometry.only:
            return z3.BoolVal(True)
        return z3.Or(
            [
                z3.And(
                    [t == self._term(leaf, v) for (_, leaf), t, v in zip(kind.leaves(), leaves, kind.flatten(value), strict=True)]
                )
                for value in kind.values(self.geometry)
            ]
        )

    def at_power_on(self, table: TableKind, key: Any, leaves: Sequence[Term]) -> Term:
        """That the leaves of an entry whose initial contents nobody knows are those of a value that it may hold at power-on."""
        kind = table.value
        if key in self.geometry.given.get(table.name, {}) and not isinstance(kind, PageKind):
            [value] = self.geometry.contents(table.name, key, list(held_by(kind, self.geometry)))
            return z3.And(
                [t == self._term(leaf, v) for (_, leaf), t, v in zip(kind.leaves(), leaves, kind.flatten(value), strict=True)]
            )
        if isinstance(kind, NameKind):
            return self.among(kind, leaves[0], nobody=True)
        return self.listed(kind, leaves)

    def _term(self, leaf: Scalar, value: Any) -> Term:
        if isinstance(leaf, NameKind) and value != NOTHING:
            return self.names(leaf)[value]
        return constant(leaf, value)

    def _name_names(self) -> None:
        for sort in sorts_of(self.design):
            self.asserted.append(z3.Distinct(self.names(NameKind(sort), nobody=True)))

    def keys(self, table: str, nobody: bool = False) -> Iterator[tuple[Term, ...]]:
        """Every key of a table."""
        return itertools.product(*(self.names(k, nobody) for k in self.design.table(table).keys))

    def _bound_entries(self) -> None:
        for kind in self.design.tables:
            table = Table(self._reading, kind, self.base)
            for key in self.keys(kind.name, nobody=True):
                if any(z3.is_true(z3.simplify(n)) for n in table.nobody(key)):
                    initial = table.initial()  # of a partial table: that the key is not there, too
                    self.asserted += [a == b for a, b in zip(table.first(key)[-len(initial) :], initial, strict=True)]
                else:
                    self.asserted += list(self._bounds(kind.value, table.first(key)))

    def _bounds(self, kind: Kind, leaves: Sequence[Term]) -> Iterator[Term]:
        if isinstance(kind, PageKind):
            [page] = leaves[-1:]
            yield page == functools.reduce(self._with_cell_of(page), self.names(kind.index), zeroes(kind))
            for cell in self._cells(kind, [page]):
                yield from self._bounds(kind.cell, cell)
            return
        for (_, leaf), term in zip(kind.leaves(), leaves[-len(kind.leaves()) :], strict=True):
            if isinstance(leaf, NameKind):
                yield self.among(leaf, term)
            elif isinstance(leaf, NaturalKind):
                yield term >= 0

    @staticmethod
    def _with_cell_of(page: Term) -> Callable[[Term, Term], Term]:
        """Put a page's cell under an index into another page. A page of zeroes with all its cells put in is the page itself: on
        ints two pages differ only under an index that there is, so they must not differ elsewhere here."""
        return lambda other, index: z3.Store(other, index, z3.Select(page, index))

    def _cells(self, kind: PageKind, leaves: Sequence[Term]) -> list[list[Term]]:
        """The leaves of each cell of a page."""
        [array] = leaves
        return [packed(kind.cell).unpack(z3.Select(array, i)) for i in self.names(kind.index)]

    def _assume(self, formula: Formula) -> None:
        for values in itertools.product(*(self.names(kind) for _, kind in formula.law.names)):
            self.asserted.append(z3.substitute(formula.body, *zip(formula.names, values, strict=True)) if values else formula.body)
        self.count(formula.counts)

    def count(self, counts: Iterable[Counted]) -> None:
        """Say what each count is: the sum over all entries."""
        for counted in counts:
            table = Table(self._reading, self.design.table(counted.table), self.base)
            for values in self._spoken_of(counted):
                number = counted.number.decl()(*values)
                self.asserted.append(
                    number
                    == z3.Sum(
                        [z3.If(counted.counts(table, key, values), z3.IntVal(1), z3.IntVal(0)) for key in self.keys(counted.table)]
                    )
                )

    def _spoken_of(self, counted: Counted) -> Iterable[Sequence[Term]]:
        """All that a count may speak of; if that is too much, what it speaks of here."""
        named: list[list[Term]] = []
        for term in counted.number.children():
            kind = next((k for k in scalars_of(self.design) if sort_of(k) == term.sort() and not isinstance(k, WordKind)), None)
            if kind is None:
                return [counted.number.children()]
            named.append(self.names(kind, nobody=True))
        return itertools.product(*named) if math.prod(map(len, named)) <= SPOKEN_OF else [counted.number.children()]

    # ------------------------------------------------------------ from a model to a run

    def witness(
        self,
        model: Any,
        op: Operation,
        arguments: Sequence[Any],
        answers: Sequence[Any],
        law: Law | None,
        earlier: Sequence[Scope] = (),
    ) -> Witness | None:
        """The run that a model describes, if it does break the law; without a law, if the text goes wrong. ``earlier``: the states
        from which an operation that others interrupt takes its earlier parts."""
        decoder = Decoder(self, model)
        *before, tables = [scope.decoded(decoder) for scope in (*earlier, self)]
        given = tuple(decoder.value(kind, a) for (_, kind), a in zip(op.parameters, arguments, strict=True))
        replies = tuple(decoder.value(*a) if isinstance(a, tuple) else a for a in answers)
        chosen = [(a[0], reply) for a, reply in zip(answers, replies, strict=True) if isinstance(a, tuple)]
        held = [(self.design.table(name).value, entry) for name in self.design.arbitrary for entry in tables[name].values()]
        geometry = holding(self.geometry, [*zip((kind for _, kind in op.parameters), given, strict=True), *chosen, *held])
        machine = Machine(self.design, geometry)
        for state in (*before, tables):
            put(machine, state)
            if machine.broken(None, (), None) is not None:
                return None
        taken = take(machine, op, given, replies, (*before, tables))
        if taken is None:
            return None
        gone_wrong = aborted(taken[1])  # whatever the law says of what was written before
        broken = machine.breaks(law, op, given, taken[1]) if law is not None and gone_wrong is None else gone_wrong
        return None if broken is None else Witness(geometry, tables, taken[0], taken[1], broken, tuple(before))

    def decoded(self, decoder: Decoder) -> dict[str, dict[Any, Any]]:
        """The state that a model describes."""
        return {t.name: self._table(decoder, t.name) for t in self.design.tables}

    def _table(self, decoder: Decoder, name: str) -> dict[Any, Any]:
        kind = self.design.table(name)
        table = Table(self._reading, kind, self.base)
        entries = {}
        for key in self.keys(name):
            leaves = table.first(key)
            if table.domain is not None and not decoder.scalar(FlagKind(), leaves[0]):
                continue
            plain = tuple(decoder.scalar(k, t) for k, t in zip(kind.keys, key, strict=True))
            entries[plain if len(plain) != 1 else plain[0]] = decoder.entry(kind.value, leaves[-len(table.defaults()) :])
        return entries


class Decoder:
    """What a model says of terms."""

    def __init__(self, scope: Scope, model: Any) -> None:
        self.scope, self.model = scope, model

    def scalar(self, kind: Scalar, term: Term) -> Any:
        """The value of a term, as the text would hold it."""
        value = self.model.eval(term, model_completion=True)
        if isinstance(kind, NameKind):
            for number, name in enumerate(self.scope.names(kind)):
                if value.eq(self.model.eval(name, model_completion=True)):
                    return number
            return NOTHING
        if isinstance(kind, FlagKind):
            return bool(z3.is_true(value))
        if isinstance(kind, EnumKind):
            return next(m for m in kind.cls if m.name == value.decl().name())
        return value.as_long()

    def value(self, kind: Kind, value: Any) -> Any:
        """A value of the text's, leaf by leaf."""
        leaves = [
            self.scalar(leaf, v.term if isinstance(v, Opaque) else constant(leaf, v))
            for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True)
        ]
        return kind.build(iter(leaves))

    def entry(self, kind: Kind, leaves: Sequence[Term]) -> Any:
        """A table's entry."""
        if not isinstance(kind, PageKind):
            return kind.build(iter([self.scalar(leaf, t) for (_, leaf), t in zip(kind.leaves(), leaves, strict=True)]))
        page = kind.default()
        for index in self.scope.names(kind.index):
            cell = packed(kind.cell).unpack(z3.Select(leaves[0], index))
            page = page.put(self.scalar(kind.index, index), self.entry(kind.cell, cell))
        return page


def sorts_of(design: Outline) -> list[str]:
    """Every sort of names that a design mentions."""
    return sorted({k.sort for k in scalars_of(design) if isinstance(k, NameKind)})


def scalars_of(design: Outline) -> list[Scalar]:
    """Every kind of scalar that a design mentions, in tables, parameters and laws."""
    kinds: list[Scalar] = [k for t in design.tables for k in (*t.keys, *(leaf for _, leaf in t.value.leaves()))]
    kinds += [t.value.index for t in design.tables if isinstance(t.value, PageKind)]
    kinds += [leaf for op in design.operations for _, p in op.parameters for _, leaf in p.leaves()]
    kinds += [k for law in design.laws for _, k in law.names]
    return list(dict.fromkeys([*kinds, FlagKind()]))
