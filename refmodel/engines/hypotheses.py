"""The laws of an arbitrary lawful state, as formulas, at the names that a run speaks of.

No quantifier reaches the solver. A law is instantiated wherever it looks at what a run (or a law about that) has looked at;
that set of places is the index set. Every instance is true of a lawful state, so it does not matter for soundness which are made:
too few leave something unproved, and no set of them proves what is not so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.conditions import Counted, Lookup
from refmodel.engines.questions import simplified
from refmodel.engines.symbolic import Symbolic, applied
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.templates import Template
from refmodel.engines.terms import Term, real_term, sort_of
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.kinds import FlagKind, NaturalKind, Scalar
from refmodel.language.laws import Law

NEAR, FAR, FARTHEST = 1, 2, 3
"""How far from the run a lookup may be for laws to be instantiated there: with 1, where the run looks; with 2, also where laws
about that look. Nearly everything follows from what is near, and that is a fraction of it all. With 3, laws are instantiated at
names that they look nothing up for, too, and counts are compared with each other."""

TOGETHER = 12
"""Entries of which two at a time are taken, to say that they are two."""

TRIED = 8
"""Names of a sort that a law is instantiated at where it does not look anything up for that name."""


@attrs.frozen
class Formula:
    """A law of states, about an arbitrary state and arbitrary names."""

    law: Law
    names: tuple[Term, ...]
    body: Term
    lookups: tuple[Lookup, ...]
    counts: tuple[Counted, ...]
    triggers: tuple[tuple[Lookup, ...], ...]
    """Groups of lookups that between them mention every name: where a run made such lookups, the law is instantiated."""
    is_found_by_lookups: bool
    """Whether some group of lookups mentions every name."""
    template: Template
    """The law, the keys of its lookups, and its counts: what there is of it at other names."""

    @property
    def tables(self) -> frozenset[str]:
        return frozenset([x.table for x in self.lookups] + [c.table for c in self.counts])


def formula(design: Outline, law: Law, base: str) -> Formula:
    reading = Symbolic(design, prune=False)
    with answering(reading):
        state = reading.state(base)
        names = [reading.arbitrary(kind, f"{law.name}!{n}") for n, kind in law.names]
        body = claimed(reading, law.function, state, *names)
    terms = tuple(n.term for n in names)
    real = [real for (_, kind), t in zip(law.names, terms, strict=True) for real in real_term(kind, t)]
    body = z3.Implies(z3.And(real), body) if real else body  # it is claimed for what there is, and NOTHING is not
    lookups = tuple(reading.lookups.values())
    counts = tuple(reading.counts.values())
    template = Template(terms, [body, *(k for x in lookups for k in x.key), *(c.number for c in counts)])
    triggers = _triggers(terms, lookups)
    wanted = {t.get_id() for t in terms}
    whole = any(set().union(*(_mentioned(x, wanted) for x in group)) == wanted for group in triggers)
    return Formula(law, terms, body, lookups, counts, triggers, whole, template)


def claimed(reading: Symbolic, law: Any, *arguments: Any) -> Term:
    """What a law says: that it holds, and that what it computes stays what it is (no number goes below zero, no key is missing)."""
    body, owed = reading.alone(lambda: reading.fold(law, *arguments))
    sound = [z3.Implies(z3.And(*o.conditions), o.holds) if o.conditions else o.holds for o in owed]
    return simplified(z3.And(body, *sound)) if sound else body


def _triggers(names: Sequence[Term], lookups: Sequence[Lookup]) -> tuple[tuple[Lookup, ...], ...]:
    """Each lookup that mentions every name, and if there is none, few that do so together."""
    wanted = {n.get_id() for n in names}
    mentioned = {x.identity: _mentioned(x, wanted) for x in lookups}
    alone = [(x,) for x in lookups if mentioned[x.identity] == wanted]
    if alone or not wanted:
        return tuple(alone)
    chosen: list[Lookup] = []
    missing = set(wanted)
    while missing and lookups:
        best = max(lookups, key=lambda x: len(mentioned[x.identity] & missing))
        if not mentioned[best.identity] & missing:
            break
        chosen.append(best)
        missing -= mentioned[best.identity]
    return (tuple(chosen),)


def _mentioned(lookup: Lookup, names: set[int]) -> set[int]:
    found: set[int] = set()
    todo = list(lookup.key)
    while todo:
        term = todo.pop()
        if term.get_id() in names:
            found.add(term.get_id())
        todo += term.children()
    return found


class Hypotheses:
    """The laws of an arbitrary lawful state, at the index set."""

    def __init__(self, design: Outline, formulas: Sequence[Formula], base: str) -> None:
        self.design, self.formulas, self.base = design, formulas, base
        self.lookups: dict[tuple[Any, ...], Lookup] = {}
        self.distance: dict[tuple[Any, ...], int] = {}
        self.counts: dict[int, Counted] = {}
        self.rounds = NEAR
        self.asserted: list[Term] = []
        self.of_law: dict[int, str] = {}
        """Which of what is asserted says that a law holds somewhere, by its number, and which. The rest is true of any state."""
        self._done: dict[tuple[Any, ...], Sequence[Term]] = {}
        """What has been asserted, with the terms that it is known by: an id says nothing once its term is gone."""
        self._fresh: list[Lookup] = []
        self._reading = Symbolic(design, prune=False)
        self._counting: dict[Any, Template] = {}
        self._nobodies: dict[str, Template] = {}
        self._counted: dict[tuple[Any, ...], tuple[Counted, Lookup, Term]] = {}  # with what must live as long

    def copy(self) -> Hypotheses:
        """The same, to be extended."""
        other = Hypotheses(self.design, self.formulas, self.base)
        other.lookups, other.counts, other.distance = dict(self.lookups), dict(self.counts), dict(self.distance)
        other.asserted, other._done, other.of_law = list(self.asserted), dict(self._done), dict(self.of_law)
        other._reading, other._counting, other._counted = self._reading, self._counting, self._counted
        other._nobodies, other.rounds = self._nobodies, self.rounds
        return other

    def go_far(self) -> None:
        """Instantiate laws farther from the run too."""
        self.rounds = FAR
        self._fresh += self.lookups.values()
        self.saturate()

    def go_farthest(self) -> None:
        """Leave nothing out that may help: where a proof fails without it, time matters less."""
        self.rounds = FARTHEST
        self._done = {k: v for k, v in self._done.items() if k[0] != "count"}
        for number in list(self.counts.values()):
            self._exists(number)
        for one, other in itertools.permutations(list(self.counts.values()), 2):
            self._compare(one, other)
        self._fresh += self.lookups.values()
        self.saturate()

    def admit(self, lookups: Sequence[Lookup], counts: Sequence[Counted], distance: int = 0) -> None:
        """Let the index set have these."""
        for x in lookups:
            if x.base == self.base and x.identity not in self.lookups:
                self.lookups[x.identity] = x
                self.distance[x.identity] = distance
                self._fresh.append(x)
                self._nobody(x)
            elif x.base == self.base and distance < self.distance[x.identity]:  # a law spoke of it first, now the run does
                self.distance[x.identity] = distance
                self._fresh.append(x)
        for c in counts:
            if c.base == self.base:
                self.counts.setdefault(c.number.get_id(), c)

    def _nobody(self, lookup: Lookup) -> None:
        """Nothing is ever stored under the name of nobody, and no number below zero: every text is obliged to that."""
        if lookup.table not in self._nobodies:
            self._nobodies[lookup.table] = self._of_nobody(lookup.table)
        self.asserted += self._nobodies[lookup.table].at(lookup.key)

    def _of_nobody(self, name: str) -> Template:
        kind = self.design.table(name)
        table = Table(self._reading, kind, self.base)
        key = tuple(z3.Const(f"key.{i}", sort_of(k)) for i, k in enumerate(kind.keys))
        nobody = table.nobody(key)
        leaves = table.first(key)
        same = [a == b for a, b in zip(leaves, table.initial(), strict=True)]
        numbers = [] if table.page else [t >= 0 for leaf, t in zip(table.leaves, leaves[-len(table.leaves):], strict=True)
                                         if isinstance(leaf, NaturalKind)]
        return Template(key, [*([z3.Implies(z3.Or(nobody), z3.And(same))] if nobody else []), *numbers])

    def saturate(self) -> None:
        """Instantiate every law wherever it speaks of what has been looked at."""
        self._by_counts()
        while self._fresh:
            fresh, self._fresh = {x.identity for x in self._fresh if self.distance[x.identity] < self.rounds}, []
            by_table: dict[str, list[Lookup]] = {}
            for x in self.lookups.values():
                if self.distance[x.identity] < self.rounds:
                    by_table.setdefault(x.table, []).append(x)
            for formula in self.formulas:
                for names, distance in list(self._matches(formula, by_table, fresh)):
                    self.instantiate(formula, names, distance + 1)
            self._by_counts()
        self._count()

    def _by_counts(self) -> None:
        """A law that looks nothing up for some of its names is instantiated where what it counts has been counted."""
        for formula in self.formulas:
            own = {n.get_id(): i for i, n in enumerate(formula.names)}
            if formula.is_found_by_lookups or not own:
                continue
            for mine, theirs in itertools.product(formula.counts, list(self.counts.values())):
                if not mine.number.decl().eq(theirs.number.decl()):
                    continue
                bindings: list[dict[int, Term]] = [{}]
                for f, a in zip(mine.number.children(), theirs.number.children(), strict=True):
                    bindings = [wider for b in bindings for wider in _unify(b, f, a, own)]
                for b in bindings:
                    if len(b) == len(formula.names):
                        self.instantiate(formula, [b[i] for i in range(len(b))], 1)

    def instantiate(self, formula: Formula, names: Sequence[Term], distance: int) -> None:
        """Assume a law at these names."""
        identity = (formula.law.name, *(n.get_id() for n in names))
        if identity in self._done:
            return
        self._done[identity] = names
        body, *rest = formula.template.at(names)
        self.of_law[len(self.asserted)] = formula.law.name
        self.asserted.append(body)
        terms = iter(rest)
        self.admit([Lookup(x.base, x.table, tuple([next(terms) for _ in x.key])) for x in formula.lookups],
                   [attrs.evolve(c, number=next(terms)) for c in formula.counts], distance)

    def _matches(self, formula: Formula, by_table: dict[str, list[Lookup]], fresh: set[tuple[Any, ...]]
                 ) -> Iterator[tuple[list[Term], int]]:
        """The names for which a law speaks of a fresh lookup, and how far from the run that is."""
        own = {n.get_id(): i for i, n in enumerate(formula.names)}
        for group in formula.triggers:
            bindings: list[tuple[dict[int, Term], bool, int]] = [({}, False, 0)]
            for trigger in group:
                found = [x for x in by_table.get(trigger.table, []) if len(group) > 1 or x.identity in fresh]
                bindings = [(new, is_new or x.identity in fresh, max(far, self.distance[x.identity]))
                            for b, is_new, far in bindings for x in found for new in _bind(b, trigger, x, own)]
            free = [i for i in range(len(formula.names)) if bindings and i not in bindings[0][0]]
            for b, is_new, far in bindings:
                if not is_new:
                    continue
                for values in itertools.product(*(self._values(formula.law.names[i][1], by_table) for i in free)):
                    extra = dict(zip(free, values, strict=True))
                    yield [b[i] if i in b else extra[i] for i in range(len(formula.names))], far

    def _values(self, kind: Scalar, by_table: dict[str, list[Lookup]]) -> list[Term]:
        """What a name of a law that no lookup mentions may stand for."""
        plain = _values(kind)
        if self.rounds < FARTHEST or isinstance(kind, FlagKind):
            return plain
        sort = sort_of(kind)
        known = {t.get_id(): t for found in by_table.values() for x in found for t in x.key if t.sort() == sort}
        return [*plain, *list(known.values())[:TRIED]]

    # ------------------------------------------------------------ counts

    def _exists(self, number: Counted) -> None:
        """Where there are some, there is one: some entry counts, under a key that nothing else is known of."""
        key = self._some_key(number, f"{number.number.decl().name()}.one")
        lookup = Lookup(self.base, number.table, key)
        self.admit([lookup], [], 0)
        self._once(("exists", number.number.get_id()), z3.Implies(number.number >= 1, self._counts(number, lookup)))

    def _compare(self, one: Counted, other: Counted) -> None:
        """If every entry that counts for one counts for the other, it has no more: unless some entry tells them apart."""
        if one.table != other.table or one.base != other.base:
            return
        key = self._some_key(one, f"{one.number.decl().name()}.{other.number.decl().name()}.apart", other)
        lookup = Lookup(self.base, one.table, key)
        follows = z3.Implies(self._counts(one, lookup), self._counts(other, lookup))
        self._once(("compare", one.number.get_id(), other.number.get_id()), z3.Implies(follows, one.number <= other.number))

    def _some_key(self, number: Counted, name: str, other: Counted | None = None) -> tuple[Term, ...]:
        """A key that depends on what is counted, and on nothing else."""
        given = [*number.number.children(), *(other.number.children() if other else ())]
        kinds = self.design.table(number.table).keys
        return tuple(applied(f"{name}{i}", given, sort_of(kind)) for i, kind in enumerate(kinds))

    def counted_keys(self, number: Counted) -> list[tuple[Lookup, Term]]:
        """The entries of the index set near the run, and whether each counts."""
        return [(x, self._counts(number, x)) for x in self.lookups.values()
                if x.table == number.table and self.distance[x.identity] < self.rounds]

    def _counts(self, number: Counted, at: Lookup) -> Term:
        """Whether the entry that was looked at counts."""
        identity = (number.number.get_id(), *at.identity)
        if identity not in self._counted:
            [holds] = self._condition(number).at([*at.key, *number.number.children()])
            self._counted[identity] = number, at, holds
        return self._counted[identity][2]

    def _condition(self, number: Counted) -> Template:
        """What makes an entry count, by its key and the names that are spoken of."""
        identity = number.table, number.counting.name
        if identity not in self._counting:
            table = Table(self._reading, self.design.table(number.table), self.base)
            key = tuple(z3.Const(f"counted.{i}", sort_of(k)) for i, k in enumerate(table.kind.keys))
            spoken_of = [z3.Const(f"counted.of.{i}", t.sort()) for i, t in enumerate(number.number.children())]
            self._counting[identity] = Template([*key, *spoken_of], [number.counts(table, key, spoken_of)])
        return self._counting[identity]

    def _count(self) -> None:
        """What any exact count satisfies, as far as the index set near the run can tell."""
        for number in list(self.counts.values()):
            which = number.number.get_id()
            one, two = number.number >= 1, number.number >= 2
            self._once(("count", which), number.number >= 0)
            near = [(x, c) for x, c in self.counted_keys(number) if not z3.is_false(c)]
            for x, counts in near:
                self._once(("count", which, *x.identity), z3.Implies(counts, one))
            close = 1 if self.rounds < FARTHEST else 2
            nearest = [(x, c) for x, c in near if self.distance[x.identity] < close][:TOGETHER]
            for (x, counts), (y, also) in itertools.combinations(nearest, 2):
                identity = ("counts", which, *y.identity, *x.identity)
                if identity not in self._done:
                    self._once(identity, z3.Implies(z3.And(counts, also, _differ(x.key, y.key)), two))

    def _once(self, identity: tuple[Any, ...], term: Term) -> None:
        if identity not in self._done:
            self._done[identity] = ()  # what it is known by is kept with the counts and the lookups
            self.asserted.append(term)


def _differ(a: tuple[Term, ...], b: tuple[Term, ...]) -> Term:
    return z3.Or([x != y for x, y in zip(a, b, strict=True) if not x.eq(y)])


def _bind(binding: dict[int, Term], trigger: Lookup, found: Lookup, own: dict[int, int]) -> list[dict[int, Term]]:
    """The bindings that make a law's lookup the one that was made. Where that looked up one thing or another, either will do."""
    new = [binding]
    for formal, actual, which, other in zip(trigger.key, found.key, trigger.ids, found.ids, strict=True):
        position = own.get(which)
        if position is not None and len(new) == 1:  # nearly always
            known = new[0].get(position)
            if known is None:
                new = [{**new[0], position: actual}]
            elif known.get_id() != other:
                return []
            continue
        new = [wider for b in new for wider in _unify(b, formal, actual, own)]
    return new


def _unify(binding: dict[int, Term], formal: Term, actual: Term, own: dict[int, int], inside: bool = False
           ) -> list[dict[int, Term]]:
    """Inside a term another name than before may be the same one after all (the key says so where it is one thing or another): both
    are tried, since an instance too many does no harm."""
    position = own.get(formal.get_id())
    if position is not None:
        if position not in binding:
            return [{**binding, position: actual}]
        if binding[position].eq(actual):
            return [binding]
        return [{**binding, position: actual}] if inside else []
    if formal.eq(actual):
        return [binding]
    if z3.is_app_of(actual, z3.Z3_OP_ITE):
        return [b for branch in actual.children()[1:] for b in _unify(binding, formal, branch, own)]
    if not formal.num_args() or not formal.decl().eq(actual.decl()):
        return []
    found = [binding]
    for f, a in zip(formal.children(), actual.children(), strict=True):
        found = [wider for b in found for wider in _unify(b, f, a, own, inside=True)]
    return found


def _values(kind: Scalar) -> list[Term]:
    """What a name of a law that no table mentions may stand for."""
    if isinstance(kind, FlagKind):
        return [z3.BoolVal(True), z3.BoolVal(False)]
    return [z3.Const(f"any!!{kind}", sort_of(kind))]
