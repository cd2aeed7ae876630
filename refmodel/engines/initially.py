"""The laws hold before anything has happened, for any number of names."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import z3

from refmodel.engines.computed import computed
from refmodel.engines.conditions import Counting, Formal, counting, counting_of
from refmodel.engines.connectives import negation
from refmodel.engines.counts import applied
from refmodel.engines.formulas import claimed
from refmodel.engines.instances import Instances
from refmodel.engines.judgements import INITIAL, Judgement, Proof
from refmodel.engines.questions import TIMEOUT, Solver, about
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.terms import ANY, Term, real_term, sort_of
from refmodel.language.abstraction import Abstraction
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.joining import joined
from refmodel.language.kinds import NaturalKind
from refmodel.language.laws import Law
from refmodel.language.opaque import opaque

AT_FIRST = "s"
"""What the terms of the initial state begin with."""


def prove_initial(design: Outline, clause: str | None = None, timeout: int = TIMEOUT) -> Proof:
    """The laws hold before anything has happened, for any number of names."""
    began = time.perf_counter()
    judgements = []
    with joined(design), about(INITIAL):
        for law in design.laws:
            if law.of_state and law.is_asked(clause):
                judgements.append(_initially(design, law, timeout))
    return Proof(INITIAL, tuple(judgements), 1, time.perf_counter() - began)


def _initially(design: Outline, law: Law, timeout: int) -> Judgement:
    began = time.perf_counter()
    why = _doubt(
        design,
        law.names,
        lambda reading, state, names: claimed(reading, law.function, state, *names),
        f"at first {law.name} holds",
        timeout,
    )
    return Judgement(INITIAL, law, "unknown" if why else "proved", time.perf_counter() - began, why=why)


def odd_at_first(design: Outline, other: Outline, timeout: int = TIMEOUT) -> list[str]:
    """The tables of the other design that this one says what they hold, and that may hold at first what they do not hold there."""
    with joined(design), about(INITIAL):
        return [
            f"{each.place}: at power-on {name} may be another than in {other.name}: {why}"
            for name, each in computed(design, other).items()
            if name not in other.arbitrary
            and (
                why := _doubt(
                    design,
                    [(f"{name}.{i}", kind) for i, kind in enumerate(each.keys)],
                    partial(_default, each),
                    f"at first {name} is at its default",
                    timeout,
                )
            )
        ]


def _default(each: Abstraction, reading: Symbolic, state: Any, names: Sequence[Any]) -> Term:
    """That what another design's table holds under a key is its default."""
    default = each.value.default()
    return claimed(reading, lambda state, *key: each.method(state, *key) == default, state, *names)


def _doubt(
    design: Outline,
    names_of: Sequence[tuple[str, Any]],
    claim: Callable[[Symbolic, Any, Sequence[Any]], Term],
    says: str,
    timeout: int,
) -> str:
    """Why it is not proved that a claim about arbitrary names holds before anything has happened; empty if it is."""
    reading = _Initially(design, prune=False)
    with answering(reading):
        state = reading.state(AT_FIRST)
        for kind in design.tables:
            if kind.name not in design.arbitrary:
                getattr(state, kind.name).reset(lambda *_: True)
        names = [reading.arbitrary(kind, f"{ANY}{n}") for n, kind in names_of]
        reading.names = [(leaf, name.term) for (_, leaf), name in zip(names_of, names, strict=True)]
        reading.real = [real for (_, leaf), name in zip(names_of, names, strict=True) for real in real_term(leaf, name.term)]
        goal = claim(reading, state, names)
    solver = Solver(z3.Not(goal), *reading.conditions, timeout=timeout)
    solver.add(*reading.real, *reading.at_least)
    of_any_state = Instances(design, (), AT_FIRST)
    for lookup in reading.lookups.values():  # a table whose contents are arbitrary holds values of its kind
        solver.add(*of_any_state.nobody(lookup))
    answer = solver.check(says=says)
    if answer == z3.unsat:
        return ""
    if answer != z3.sat:
        return f"the solver gave up: {solver.reason_unknown()}"
    return f"it is not proved of the initial state{OF_SOME if reading.at_least else ''}"


OF_SOME = (
    ": it counts entries at their default, and of these it is known only which are none, all that there are, or as many as counted "
    "elsewhere by the same condition on keys"
)
"""Why something may be true at power-on and not proved."""


class _Initially(Symbolic):
    """Before anything has happened a count is known where it counts no default, or all: everything is at its default."""

    real: Sequence[Term] = ()
    """That the names which the law is claimed for are not NOTHING."""
    names: Sequence[tuple[Any, Term]] = ()
    """These names, and what sort each is of."""

    def begin(self) -> None:
        super().begin()
        self.at_least: list[Term] = []
        """What is known of counts: at least the entries under these names are counted, if their condition holds of them."""

    def count(self, table: Table, where: Any) -> Any:
        condition, spoken_of = counting(table, where)
        names = [self.arbitrary(kind, f"counted.{i}") for i, kind in enumerate(table.kind.keys)]
        initial = table.initial()
        holds = condition.holds([n.term for n in names], initial if table.domain is None else initial[1:], spoken_of)
        empty = table.domain is not None and table.kind.name not in self.arbitrary_tables
        if table.kind.name not in self.arbitrary_tables and (empty or self._never(holds)):
            return opaque(self, NaturalKind(), z3.IntVal(0))
        if table.kind.name not in self.arbitrary_tables and self._never(negation(holds)):
            return opaque(self, NaturalKind(), self._all_of(table.kind.keys))
        number = self._under_keys(table, condition, spoken_of)
        if table.kind.name not in self.arbitrary_tables:
            self.at_least += [
                z3.Implies(condition.holds(list(key), initial, spoken_of), number >= 1) for key in self._keys(table.kind.keys)
            ]
        return opaque(self, NaturalKind(), z3.If(number >= 0, number, z3.IntVal(0)))

    def _under_keys(self, table: Table, condition: Counting, spoken_of: Sequence[Term]) -> Term:
        """How many entries count of which each is at its default: it depends on their keys, and not on the table."""
        if table.kind.name in self.arbitrary_tables:
            return applied(f"count.{table.kind.name}.{condition.name}", spoken_of, z3.IntSort())
        keys = [z3.Const(f"key.{n}", sort_of(kind)) for n, kind in enumerate(table.kind.keys)]
        named = [z3.Const(f"spoken.of.{n}", term.sort()) for n, term in enumerate(spoken_of)]
        of_keys, occurring = counting_of(Formal(tuple(keys), ()), named, condition.holds(keys, table.initial(), named))
        sorts = ".".join(str(key.sort()) for key in keys)
        return applied(f"count.{sorts}.{of_keys.name}", [spoken_of[number] for number in occurring], z3.IntSort())

    def _all_of(self, kinds: Sequence[Any]) -> Term:
        """How many keys there are of these sorts: whatever counts all entries of a table counts so many."""
        number: Term = z3.Int(f"keys.{'.'.join(map(str, kinds))}")
        self.at_least.append(number >= 1)
        return number

    def _keys(self, kinds: Sequence[Any]) -> Iterator[tuple[Term, ...]]:
        """The keys that can be made of the names which the law is claimed for."""
        return itertools.product(*([term for kind, term in self.names if kind == each] for each in kinds))

    def _never(self, holds: Term) -> bool:
        """Whether a condition cannot hold of names that there are."""
        return z3.is_false(holds) or bool(Solver(*self.real, holds).check(says="at first no entry counts") == z3.unsat)

    @property
    def arbitrary_tables(self) -> tuple[str, ...]:
        return () if self.design is None else self.design.arbitrary
