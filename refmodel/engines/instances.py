"""Instances of laws, and of what is true of any count, made once for all paths of an operation.

Most paths look up what others have looked up before: they begin alike. An instance is the same term for all of them, so it is made
for the first that asks for it and kept. Which instances a path assumes is decided elsewhere, by ``Hypotheses``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.conditions import Counted, Lookup
from refmodel.engines.connectives import conj, disj, identical, implication, negation, number_of, same
from refmodel.engines.formulas import Formula, Formulas, bind, unify
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.templates import Template
from refmodel.engines.terms import Term, sort_of
from refmodel.language.design import Outline
from refmodel.language.kinds import NaturalKind

Identity = tuple[Any, ...]


@attrs.frozen(eq=False)
class Names:
    """Names that a law can be instantiated at."""

    terms: tuple[Term, ...]
    identity: Identity
    """The law, and the ids of the names. The ids stay theirs as long as the terms are kept beside them."""


@attrs.frozen(eq=False)
class Instance:
    """A law at some names: what it says, looks up and counts."""

    body: Term
    names: Names
    lookups: tuple[Lookup, ...]
    counts: tuple[Counted, ...]


@attrs.frozen(eq=False)
class Counts:
    """Whether an entry counts, and what follows from it."""

    number: Counted
    at: Lookup
    holds: Term
    never: bool
    """Whether it plainly does not."""
    one: Term
    """If it counts, there is at least one."""


KEPT = 40_000
"""Instances of laws that are kept for the next operation; with more, it begins anew, since they fill the memory."""


def instances_of(design: Outline, formulas: Sequence[Formula], base: str) -> Instances:
    """What was made so far of these laws, for other operations of the design: all call their arguments alike."""
    made = formulas.instances if isinstance(formulas, Formulas) else None
    if not isinstance(made, Instances) or made.design is not design or made.base != base or made.number > KEPT:
        made = Instances(design, formulas, base)
        if isinstance(formulas, Formulas):
            formulas.instances = made
    return made


class Instances:
    """What was made so far, about one arbitrary state."""

    def __init__(self, design: Outline, formulas: Sequence[Formula], base: str) -> None:
        self.design, self.formulas, self.base = design, formulas, base
        self.found_by_counts = [f for f in formulas if f.names and not f.is_found_by_lookups]
        """The laws that look nothing up for some of their names."""
        self._reading = Symbolic(design, prune=False)
        self._laws: dict[Identity, Instance] = {}
        self._bindings: dict[Identity, tuple[Lookup | Counted, list[dict[int, Term]]]] = {}  # with what must live as long as its id
        self._named: dict[Identity, Names] = {}
        self._conditions: dict[Identity, Template] = {}
        self._nobodies: dict[str, Template] = {}
        self._of_nobody: dict[Identity, tuple[Lookup, list[Term]]] = {}
        self._counts: dict[Identity, Counts] = {}
        self._pairs: dict[Identity, Term] = {}

    @property
    def number(self) -> int:
        """How many instances of laws there are."""
        return len(self._laws)

    # ------------------------------------------------------------ laws

    def names(self, formula: Formula, terms: Sequence[Term]) -> Names:
        """These terms as names of a law."""
        identity = (formula.law.name, *[number_of(t) for t in terms])
        if identity not in self._named:
            self._named[identity] = Names(tuple(terms), identity)
        return self._named[identity]

    def law(self, formula: Formula, names: Names) -> Instance:
        """A law at these names."""
        if names.identity not in self._laws:
            body, *rest = formula.template.at(names.terms)
            terms = iter(rest)
            lookups = tuple([Lookup(x.base, x.table, tuple([next(terms) for _ in x.key])) for x in formula.lookups])
            counts = tuple([attrs.evolve(c, number=next(terms)) for c in formula.counts])
            self._laws[names.identity] = Instance(body, names, lookups, counts)
        return self._laws[names.identity]

    def by_lookup(self, formula: Formula, trigger: Lookup, found: Lookup) -> list[dict[int, Term]]:
        """The names, by position, for which a law's lookup is the one that was made."""
        identity = (formula.law.name, trigger.identity, found.identity)
        if identity not in self._bindings:
            self._bindings[identity] = found, bind({}, trigger, found, formula.own)
        return self._bindings[identity][1]

    def by_count(self, formula: Formula, mine: Counted, theirs: Counted) -> list[dict[int, Term]]:
        """The names, by position, for which a law counts what was counted."""
        identity = (formula.law.name, mine.which, theirs.which)
        if identity not in self._bindings:
            bindings: list[dict[int, Term]] = [{}] if mine.number.decl().eq(theirs.number.decl()) else []
            for f, a in zip(mine.number.children(), theirs.number.children(), strict=False):
                bindings = [wider for b in bindings for wider in unify(b, f, a, formula.own)]
            self._bindings[identity] = theirs, [b for b in bindings if len(b) == len(formula.names)]
        return self._bindings[identity][1]

    def by_value(self, formula: Formula, mine: Counted, at: Lookup) -> dict[int, Term]:
        """The names, by position, that an entry has to contain for a law to count it: as what this entry contains."""
        own = formula.own
        pairs = [(a, b) for a, b in _equalities(self.counts(mine, at).holds) if number_of(b) in own]
        return {own[number_of(name)]: value for value, name in pairs if number_of(value) not in own and z3.is_app(value)}

    # ------------------------------------------------------------ any state

    def nobody(self, lookup: Lookup) -> list[Term]:
        """Nothing is ever stored under the name of nobody, and no number below zero: every text is obliged to that."""
        if lookup.identity not in self._of_nobody:
            if lookup.table not in self._nobodies:
                self._nobodies[lookup.table] = self._nobody(lookup.table)
            self._of_nobody[lookup.identity] = lookup, self._nobodies[lookup.table].at(lookup.key)
        return self._of_nobody[lookup.identity][1]

    def _nobody(self, name: str) -> Template:
        kind = self.design.table(name)
        table = Table(self._reading, kind, self.base)
        key = tuple(z3.Const(f"key.{i}", sort_of(k)) for i, k in enumerate(kind.keys))
        nobody = table.nobody(key)
        leaves = table.first(key)
        initial = [same(a, b) for a, b in zip(leaves, table.initial(), strict=True)]
        numbers = (
            []
            if table.page
            else [
                t >= 0 for leaf, t in zip(table.leaves, leaves[-len(table.leaves) :], strict=True) if isinstance(leaf, NaturalKind)
            ]
        )
        return Template(key, [*([implication(disj(nobody), conj(initial))] if nobody else []), *numbers])

    # ------------------------------------------------------------ counts

    def counts(self, number: Counted, at: Lookup) -> Counts:
        """Whether the entry that was looked at counts."""
        identity = (number.which, at.identity)
        if identity not in self._counts:
            [holds] = self._condition(number).at([*at.key, *number.number.children()])
            self._counts[identity] = Counts(number, at, holds, z3.is_false(holds), implication(holds, number.one))
        return self._counts[identity]

    def two(self, one: Counts, other: Counts) -> Term:
        """If both entries count, and they are two, there are at least two."""
        identity = (one.number.which, one.at.identity, other.at.identity)
        if identity not in self._pairs:
            differ = disj([negation(same(x, y)) for x, y in zip(one.at.key, other.at.key, strict=True) if not identical(x, y)])
            self._pairs[identity] = implication(conj((one.holds, other.holds, differ)), one.number.two)
        return self._pairs[identity]

    def _condition(self, number: Counted) -> Template:
        """What makes an entry count, by its key and the names that are spoken of."""
        identity = (number.table, number.counting.name)
        if identity not in self._conditions:
            table = Table(self._reading, self.design.table(number.table), self.base)
            key = tuple(z3.Const(f"counted.{i}", sort_of(k)) for i, k in enumerate(table.kind.keys))
            spoken_of = [z3.Const(f"counted.of.{i}", t.sort()) for i, t in enumerate(number.number.children())]
            self._conditions[identity] = Template([*key, *spoken_of], [number.counts(table, key, spoken_of)])
        return self._conditions[identity]


def _equalities(term: Term) -> Iterator[tuple[Term, Term]]:
    """What a condition compares with what, either way round."""
    if z3.is_eq(term):
        one, other = term.children()
        yield from ((one, other), (other, one))
    else:
        for part in term.children():
            yield from _equalities(part)
