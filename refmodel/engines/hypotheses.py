"""The laws of an arbitrary lawful state, as formulas, at the names that a run speaks of.

No quantifier reaches the solver. A law is instantiated wherever it looks at what a run (or a law about that) has looked at;
that set of places is the index set. Every instance is true of a lawful state, so it does not matter for soundness which are made:
too few leave something unproved, and no set of them proves what is not so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import z3

from refmodel.engines.adding_up import sums
from refmodel.engines.conditions import Counted, Later, Lookup
from refmodel.engines.connectives import choice, conj, number_of
from refmodel.engines.counts import applied
from refmodel.engines.formulas import Formula, bind
from refmodel.engines.instances import Identity, Instances
from refmodel.engines.terms import ANY, Term, called, constant, real_term, sort_of
from refmodel.language.kinds import EnumKind, FlagKind, Scalar

NEAR, FAR, FARTHEST, BEYOND = 1, 2, 3, 5
"""How far from the run a lookup may be for laws to be instantiated there: with 1, where the run looks; with 2, also where laws
about that look. Nearly everything follows from what is near, and that is a fraction of it all. With 3, laws are instantiated at
names that they look nothing up for, too, and counts are compared with each other. With 5, a chain of laws may be that long of which
each speaks of what only the one before it names."""

TOGETHER = 12
"""Entries of which two at a time are taken, to say that they are two."""

COMPARED = 40
"""Counts of which any two are compared: those that were spoken of first, and so nearest to the run."""

FEW = 16
"""Entries that can count, at most, for their number to be written as a sum."""

TRIED = 8
"""Names of a sort that a law is instantiated at where it does not look anything up for that name."""

MANY = 4_000
"""Instances after which no longer chains of laws are followed."""

MOST = 50_000
"""Instances that are made where nothing is to be left out that may help: more would take hours and all of memory."""

EVERYWHERE = 512
"""Ways to give a law names, at most, for it to be instantiated at all of them."""


class Hypotheses:
    """The laws of an arbitrary lawful state, at the index set."""

    def __init__(self, instances: Instances) -> None:
        self.instances = instances
        self.formulas, self.base = instances.formulas, instances.base
        self.lookups: dict[Identity, Lookup] = {}
        self.distance: dict[Identity, int] = {}
        self.counts: dict[int, Counted] = {}
        self._later: dict[int, Later] = {}
        self.rounds = NEAR
        self.asserted: list[Term] = []
        self.of_law: dict[int, str] = {}
        """Which of what is asserted says that a law holds somewhere, by its number, and which. The rest is true of any state."""
        self._done: set[Identity] = set()
        """What has been asserted. The terms whose ids tell it are kept with the instances, the lookups and the counts."""
        self._fresh: dict[Identity, Lookup] = {}
        self._bounded: dict[int, tuple[int, int]] = {}
        """For each count, how many entries were near, and nearest, when it was last said what it satisfies."""

    def go_far(self) -> None:
        """Instantiate laws farther from the run too."""
        self._go(FAR)

    def go_farthest(self) -> None:
        """Leave nothing out that may help: where a proof fails without it, time matters less."""
        self._compare_counts()
        self._go(FARTHEST)

    def go_by_values(self) -> None:
        """Instantiate laws that count entries by what these contain at what the entries near the run contain: of such a name a law
        may look nothing up that the run has looked at."""
        near = self._near(self.lookups.values())
        for formula in self.formulas:
            for counted, at in ((c, x) for c in formula.counts for x in near.get(c.table, [])):
                if binding := self.instances.by_value(formula, counted, at):
                    for names in itertools.islice(self._completed(formula, binding, near), TRIED):
                        self.instantiate(formula, names, 1)
        self.saturate()

    def go_by_counts(self) -> None:
        """Compare counts, and instantiate laws at the entries that this speaks of."""
        self._compare_counts()
        self.saturate()

    def _compare_counts(self) -> None:
        """Say of each count that it is that of some entries, of any two counts how they compare, and which add up."""
        for later in list(self._later.values()):
            self.admit([], later.of)
            self._once(("later", number_of(later.number)), partial(getattr, later, "is_so"))
            self._once(("sums", number_of(later.number)), partial(conj, later.sums))
        for number in list(self.counts.values()):
            self._exists(number)
        for one, other in itertools.permutations(list(self.counts.values())[:COMPARED], 2):
            self._compare(one, other)
        for table in self.instances.design.tables:
            of_table = [each for each in self.counts.values() if each.table == table.name]
            for which, term in sums(table, of_table):
                self._once(("adds up", *which), partial(conj, (term,)))

    def go_everywhere(self, terms: Iterable[tuple[Scalar, Term]]) -> None:
        """Instantiate every law at all of these names: it may speak of cells of a page, or of two names that are the same for a
        reason that no lookup shows."""
        known: dict[object, list[Term]] = {}
        for kind, term in terms:
            known.setdefault(sort_of(kind), []).append(term)
        for formula in self.formulas:
            values = [
                (_values(kind) if isinstance(kind, FlagKind) else known.get(sort_of(kind), _values(kind))[:TRIED])
                for _, kind in formula.law.names
            ]
            if math.prod(map(len, values)) <= EVERYWHERE:
                for names in itertools.product(*values):
                    self.instantiate(formula, names, FARTHEST)
        self._count()

    def go_beyond(self) -> None:
        """Instantiate laws along longer chains of lookups."""
        self._go(BEYOND)

    def _go(self, rounds: int) -> None:
        self.rounds = rounds
        self._fresh.update(self.lookups)
        self._bounded.clear()
        self.saturate()

    def admit(self, lookups: Sequence[Lookup], counts: Sequence[Counted], distance: int = 0) -> None:
        """Let the index set have these."""
        for x in lookups:
            if x.base != self.base:
                continue
            known = self.distance.get(x.identity)
            if known is None:
                self.lookups[x.identity] = x
                self.asserted += self.instances.nobody(x)
            if known is None or distance < known:  # a law may have spoken of it first, and now the run does
                self.distance[x.identity] = distance
                self._fresh[x.identity] = x
        for c in counts:
            if c.base == self.base:
                self.counts.setdefault(c.which, c)
                self._later.update((number_of(later.number), later) for later in c.later)

    def saturate(self) -> None:
        """Instantiate every law wherever it speaks of what has been looked at."""
        self._by_counts()
        while self._fresh and (self.rounds < BEYOND or len(self.asserted) < MANY):
            fresh, self._fresh = self._near(self._fresh.values()), {}
            all_near = self._near(self.lookups.values())
            for formula in self.formulas:
                for names, distance in list(itertools.islice(self._matches(formula, all_near, fresh), self._room)):
                    self.instantiate(formula, names, distance + 1)
            if self._room == 0:
                break
            self._by_counts()
        self._count()

    @property
    def _room(self) -> int | None:
        """How many more instances may be made; None: any number, since what is near the run is not much."""
        return None if self.rounds < FARTHEST else max(0, MOST - len(self.asserted))

    def _near(self, lookups: Iterable[Lookup]) -> dict[str, list[Lookup]]:
        """Those that are near enough to the run for laws to be instantiated there, by table."""
        found: dict[str, list[Lookup]] = {}
        for x in lookups:
            if self.distance[x.identity] < self.rounds:
                found.setdefault(x.table, []).append(x)
        return found

    def _by_counts(self) -> None:
        """A law that looks nothing up for some of its names is instantiated where what it counts has been counted."""
        for formula in self.instances.found_by_counts:
            for mine, theirs in itertools.product(formula.counts, list(self.counts.values())):
                for b in self.instances.by_count(formula, mine, theirs):
                    self.instantiate(formula, [b[i] for i in range(len(b))], 1)

    def instantiate(self, formula: Formula, terms: Sequence[Term], distance: int) -> None:
        """Assume a law at these names."""
        names = self.instances.names(formula, terms)
        if names.identity in self._done:
            return
        self._done.add(names.identity)
        for (_, kind), term in zip(formula.law.names, terms, strict=True):
            if z3.is_const(term) and called(term).startswith(ANY):  # there is a name of each sort
                self._once(("any", number_of(term)), partial(conj, tuple(real_term(kind, term))))
        instance = self.instances.law(formula, names)
        self.of_law[len(self.asserted)] = formula.law.name
        self.asserted.append(instance.body)
        self.admit(instance.lookups, instance.counts, distance)

    def _matches(
        self, formula: Formula, near: dict[str, list[Lookup]], fresh: dict[str, list[Lookup]]
    ) -> Iterator[tuple[list[Term], int]]:
        """The names for which a law speaks of a fresh lookup, and how far from the run that is."""
        for group in formula.triggers:
            if not any(trigger.table in fresh for trigger in group):
                continue
            if len(group) == 1:
                [trigger] = group
                bindings = [
                    (b, self.distance[x.identity])
                    for x in fresh[trigger.table]
                    for b in self.instances.by_lookup(formula, trigger, x)
                ]
            else:
                bindings = self._together(formula, group, near, fresh)
            for b, far in bindings:
                yield from ((names, far) for names in self._completed(formula, b, near))
        if self.rounds >= FARTHEST:
            yield from self._in_part(formula, fresh)

    def _in_part(self, formula: Formula, fresh: dict[str, list[Lookup]]) -> Iterator[tuple[list[Term], int]]:
        """The names for which a law speaks of a fresh lookup that mentions some of them only. The others are any: what the law says
        of the lookup may have nothing to do with them."""
        for trigger in formula.in_part:
            for x in fresh.get(trigger.table, ()):
                for b in self.instances.by_lookup(formula, trigger, x):
                    left = (_values(kind) if i not in b else [b[i]] for i, (_, kind) in enumerate(formula.law.names))
                    yield from ((list(names), self.distance[x.identity]) for names in itertools.product(*left))

    def _together(
        self, formula: Formula, group: Sequence[Lookup], near: dict[str, list[Lookup]], fresh: dict[str, list[Lookup]]
    ) -> list[tuple[dict[int, Term], int]]:
        """The names that several lookups mention between them, of which one is fresh."""
        new = {x.identity for found in fresh.values() for x in found}
        bindings: list[tuple[dict[int, Term], bool, int]] = [({}, False, 0)]
        for trigger in group:
            bindings = [
                (wider, is_new or x.identity in new, max(far, self.distance[x.identity]))
                for b, is_new, far in bindings
                for x in near.get(trigger.table, [])
                for wider in bind(b, trigger, x, formula.own)
            ]
        return [(b, far) for b, is_new, far in bindings if is_new]

    def _completed(self, formula: Formula, binding: dict[int, Term], near: dict[str, list[Lookup]]) -> Iterator[list[Term]]:
        """Every name, where some lookup mentions it, and where none does."""
        number = len(formula.names)
        if len(binding) == number:  # nearly always
            yield [binding[i] for i in range(number)]
            return
        free = [i for i in range(number) if i not in binding]
        for values in itertools.product(*(self._values(formula.law.names[i][1], near) for i in free)):
            all_names = binding | dict(zip(free, values, strict=True))
            yield [all_names[i] for i in range(number)]

    def _values(self, kind: Scalar, near: dict[str, list[Lookup]]) -> list[Term]:
        """What a name of a law that no lookup mentions may stand for."""
        plain = _values(kind)
        if self.rounds < FARTHEST or isinstance(kind, FlagKind):
            return plain
        sort = sort_of(kind)
        known = {number_of(t): t for found in near.values() for x in found for t in x.key if t.sort() == sort}
        return [*plain, *list(known.values())[:TRIED]]

    # ------------------------------------------------------------ counts

    def _exists(self, number: Counted) -> None:
        """Where there are some, there is one: some entry counts, under a key that nothing else is known of. Where there are more,
        there is another under another key, which a law that says of any two that they are one speaks of."""
        keys = [self._some_key(number, f"{number.number.decl().name()}.{which}") for which in ("one", "other")]
        lookups = [Lookup(self.base, number.table, key) for key in keys]
        self.admit(lookups, [], 0)
        one, other = (self.instances.counts(number, lookup).holds for lookup in lookups)
        self._once(("exists", number.which), lambda: z3.Implies(number.number >= 1, one))
        apart = [z3.Or([a != b for a, b in zip(*keys, strict=True)])]
        self._once(("another", number.which), lambda: z3.Implies(number.number >= 2, conj((other, *apart))))

    def counted_somewhere(self) -> list[Term]:
        """For each count that was met, the key of an entry that counts, if any does (``go_by_counts``)."""
        numbers = list(self.counts.values())
        return [part for number in numbers for part in self._some_key(number, f"{number.number.decl().name()}.one")]

    def _compare(self, one: Counted, other: Counted) -> None:
        """If every key whose entry counts for one counts for the other, in its table, it has no more; and fewer, where some key
        counts for the other alone. Otherwise some key tells them apart."""
        if one.base != other.base or self._sorts(one) != self._sorts(other):
            return
        key = self._some_key(one, f"{one.number.decl().name()}.{other.number.decl().name()}.apart", other)
        self.admit([Lookup(self.base, table, key) for table in {one.table, other.table}], [], 0)
        follows = z3.Implies(self._counts(one, key), self._counts(other, key))
        self._once(("compare", one.which, other.which), lambda: z3.Implies(follows, one.number <= other.number))
        for x in [*self.counted_keys(one), *self.counted_keys(other)][:TOGETHER]:
            alone = (self._counts(other, x.key), z3.Not(self._counts(one, x.key)))
            self._once(
                ("compare", one.which, other.which, x.identity),
                partial(z3.Implies, conj((follows, *alone)), one.number < other.number),
            )

    def _counts(self, number: Counted, key: tuple[Term, ...]) -> Term:
        """Whether the entry under a key counts."""
        return self.instances.counts(number, Lookup(self.base, number.table, key)).holds

    def _sorts(self, number: Counted) -> list[object]:
        """What the keys are of which entries are counted."""
        return [sort_of(kind) for kind in self.instances.design.table(number.table).keys]

    def _some_key(self, number: Counted, name: str, other: Counted | None = None) -> tuple[Term, ...]:
        """The key of an entry that counts: it depends on what is counted, and on nothing else. A part that has to equal a name for
        the entry to count is that name, so that laws about that name are found."""
        given = [*number.number.children(), *(other.number.children() if other else ())]
        kinds = self.instances.design.table(number.table).keys
        key = tuple(applied(f"{name}{i}", given, sort_of(kind)) for i, kind in enumerate(kinds))
        named = self._named(number, key)
        return tuple(named.get(number_of(part), part) for part in key)

    def _named(self, number: Counted, key: Sequence[Term]) -> dict[int, Term]:
        """The names that parts of a key have to equal, for the entry to count: by the part."""
        holds = self._holds(number, tuple(key))
        equal = [each.children() for each in _conjuncts(holds) if z3.is_eq(each)]
        names = {number_of(name): name for name in number.number.children()}
        return {number_of(a): names[number_of(b)] for pair in equal for a, b in (pair, pair[::-1]) if number_of(b) in names}

    def _holds(self, number: Counted, key: tuple[Term, ...]) -> Term:
        """Whether the entry under a key counts."""
        return self.instances.counts(number, Lookup(self.base, number.table, key)).holds

    def _every_key(self, number: Counted) -> list[tuple[Term, ...]]:
        """The keys of all entries that can count, where these are few: each part is a flag, a member of an enum, or a name that it
        has to equal. None of them where there may be more."""
        kinds = self.instances.design.table(number.table).keys
        given = {name.sort() for name in number.number.children()}
        if not all(members(kind) or sort_of(kind) in given for kind in kinds):
            return []
        unknown = [z3.Const(f"part.{i}", sort_of(kind)) for i, kind in enumerate(kinds)]
        named = self._named(number, unknown)
        parts = [
            [named[number_of(part)]] if number_of(part) in named else members(kind)
            for part, kind in zip(unknown, kinds, strict=True)
        ]
        return list(itertools.product(*parts)) if math.prod(map(len, parts)) <= FEW else []

    def counted_keys(self, number: Counted) -> list[Lookup]:
        """The entries near the run that may count."""
        return self._near(self.lookups.values()).get(number.table, [])

    def _count(self) -> None:
        """What any exact count satisfies, as far as the index set near the run can tell."""
        near = self._near(self.lookups.values())
        for number in list(self.counts.values()):
            if self._room != 0:
                self._bound(number, near.get(number.table, []))

    def _bound(self, number: Counted, near: Sequence[Lookup]) -> None:
        close = 1 if self.rounds < FARTHEST else 2
        nearest = {x.identity for x in near if self.distance[x.identity] < close}
        size = len(near), len(nearest)
        if self._bounded.get(number.which) == size:  # entries only ever come nearer: these are the same
            return
        self._bounded[number.which] = size
        self._once(("count", number.which), lambda: number.number >= 0)
        if keys := self._every_key(number):
            total = [choice(self._holds(number, key), z3.IntVal(1), z3.IntVal(0)) for key in keys]
            self._once(("all", number.which), lambda: number.number == z3.Sum(total))
        found = [counts for x in near if not (counts := self.instances.counts(number, x)).never]
        for counts in found:
            self._once(("count", number.which, counts.at.identity), partial(getattr, counts, "one"))
        for one, other in itertools.combinations([c for c in found if c.at.identity in nearest][:TOGETHER], 2):
            self._once(("counts", number.which, other.at.identity, one.at.identity), partial(self.instances.two, one, other))

    def _once(self, identity: Identity, term: Callable[[], Term]) -> None:
        if identity not in self._done:
            self._done.add(identity)
            self.asserted.append(term())


def _conjuncts(term: Term) -> Iterator[Term]:
    """What a term states, one by one."""
    if z3.is_and(term):
        for each in term.children():
            yield from _conjuncts(each)
    else:
        yield term


def members(kind: Scalar) -> list[Term]:
    """The terms for every flag, or for every member of an enum; none for what there may be more of."""
    values = (False, True) if isinstance(kind, FlagKind) else tuple(kind.cls) if isinstance(kind, EnumKind) else ()
    return [constant(kind, value) for value in values]


def _values(kind: Scalar) -> list[Term]:
    """What a name of a law that no table mentions may stand for."""
    if isinstance(kind, FlagKind):
        return [z3.BoolVal(True), z3.BoolVal(False)]
    return [some_name(kind)]


def some_name(kind: Scalar) -> Term:
    """There is a name of each sort, and this is one."""
    return z3.Const(f"{ANY}{kind}", sort_of(kind))
