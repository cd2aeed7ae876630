"""Whether what a law speaks of can be at all: a proof about nothing is not one.

Random runs answer nearly always, by meeting it. For a premise or an outcome that they did not meet, the solver is asked whether a
lawful state, or a step from one, can satisfy it. Only if there is none, for any number of names, is the law vacuous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import attrs
import z3

from refmodel.engines.connectives import conj, identical, negation
from refmodel.engines.formulas import claimed
from refmodel.engines.goals import Goals, arbitrary_names
from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.instances import Instances
from refmodel.engines.paths import base_of
from refmodel.engines.prover import TIMEOUT, Induction
from refmodel.engines.questions import limit
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.terms import ANY, TRUE, Term, real_term
from refmodel.language.annotations import kind_of
from refmodel.language.asking import Fault, Premises, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.laws import Law
from refmodel.language.unsound import Unsound


def never_met(design: Outline, law: Law) -> bool:
    """Whether the premise of a law holds in no lawful state and after no step from one, or no such step has an outcome of the type
    that the law is about, as far as all that is known tells."""
    with joined(design):
        if law.of_state:
            return not _in_a_state(design, law)
        return not any(_in_a_step(design, law, op) for op in design.operations if may_end_so(law, op))


def may_end_so(law: Law, op: Operation) -> bool:
    """Whether an operation, as it states what it returns, may have an outcome that a law is about: it may raise any fault."""
    return law.applies_to(op.returns) or (isinstance(law.outcome, type) and issubclass(law.outcome, Fault))


class _Noting(Symbolic):
    """Keeps the premises of what is evaluated, each with the conditions under which it is reached."""

    def __init__(self, design: Outline) -> None:
        self.premises: list[Term] = []
        self._entries = 0
        """Entries of which it was looked at whether they count."""
        super().__init__(design, prune=False)

    @contextmanager
    def noting(self, design: Outline, law: Law) -> Iterator[None]:
        """Within this the law is evaluated, and nothing else."""
        Premises.begin(law.part, plainly=lambda _: self.premise(z3.BoolVal(True)), left_out=design.looked_at(law))
        try:
            yield
        finally:
            Premises.begin()

    def premise(self, term: Term) -> None:
        self.premises.append(z3.And(*self._outer, *self.conditions, term))

    def count(self, table: Table, where: Callable[..., Any]) -> Any:
        """A condition that is stated of what counts is a premise where it holds of some entry."""
        known = len(self.premises)
        total = super().count(table, where)
        del self.premises[known:]  # they were of no entry in particular
        self._entries += 1
        names = [self.arbitrary(kind, f"{ANY}entry{self._entries}.{n}") for n, kind in enumerate(table.kind.keys)]
        key = table.parts(tuple(names))
        leaves = table.peek(key)
        there = [*(negation(nobody) for nobody in table.nobody(key)), *(leaves[:1] if table.domain is not None else [])]
        self.looked_at(lambda: where(table.value(leaves), *names), conj([*there, TRUE]))
        return total

    @property
    def some(self) -> Term:
        """That one of the premises holds."""
        return z3.Or(self.premises)


def _in_a_state(design: Outline, law: Law) -> bool:
    induction = Induction(design, design.operations[0])
    reading = _Noting(design)
    with answering(reading), reading.noting(design, law):
        state = reading.state("s")
        names = [reading.arbitrary(kind, f"{ANY}{n}") for n, kind in law.names]
        reading.fold(law.function, state, *names)
    known = induction.hypotheses("s")
    known.admit(list(reading.lookups.values()), list(reading.counts.values()))
    known.saturate()
    return _can_be([*known.asserted, reading.some])


def _in_a_step(design: Outline, law: Law, op: Operation) -> bool:
    induction = Induction(design, op)
    induction.laws = [law]
    for path in induction.paths():
        if not path.segments:
            continue  # refused: no step
        outcome = path.segments[-1].outcome
        if not law.applies_to(None if outcome is None else type(outcome)):
            continue
        if len(path.segments) > 1 and law.outcome is None:
            return True  # others may have run in between: what each part of such an operation can meet is not looked at here
        reading = _Noting(design)
        goals = Goals(design, op, induction.formulas).after(path, [law], induction.arguments, reading)
        induction.formulas(base_of(design, path.segments[-1].before))  # made before, since laws are evaluated for them
        with reading.noting(design, law):
            list(goals)  # worked out for this path
        known = induction.hypotheses(base_of(design, path.segments[-1].before))
        known.admit([*path.lookups.values(), *reading.lookups.values()], [*path.counts.values(), *reading.counts.values()])
        known.saturate()
        met = [reading.some] if design.is_conditional(law) else []
        if _can_be([*known.asserted, *path.segments[-1].conditions, *met]):
            return True
    return False


def cannot_fail(design: Outline, law: Law) -> bool:
    """Whether a law holds of any tables, any names and any outcome at all: nothing that a design does can break it. A law that asks
    a method of the design can be broken by that method, so it is not looked at."""
    reading = Symbolic(design, prune=False)
    holds = _of_any_tables(design, law, reading)
    return holds is not None and not _can_be([z3.Not(holds), *_of_any_state(design, law, reading, holds)])


def holds_by_methods(design: Outline, law: Law) -> bool:
    """Whether a law that asks methods of the design holds of any tables, because of what these methods say."""
    reading = Symbolic(design, prune=False)
    if _of_any_tables(design, law, reading) is not None:
        return False
    reading = Symbolic(design, prune=False)
    holds = _of_any_tables(design, law, reading, methods=True)
    return holds is not None and not _can_be([z3.Not(holds), *_of_any_state(design, law, reading, holds)])


def part_cannot_fail(design: Outline, part: Law) -> bool:
    """Whether one implication of a law cannot fail: whatever the tables are, its conclusion follows from its premise and from what
    stands before it in the law."""
    reading = _Denying(design, part)
    told = _of_any_tables(design, part, reading) is not None and not Premises.met
    denied = z3.Or(reading.denied)
    return told and bool(reading.denied) and not _can_be([denied, *_of_any_state(design, part, reading, denied)])


def _of_any_tables(design: Outline, law: Law, reading: Symbolic, *, methods: bool = False) -> Any:
    """What a law says of any tables, any names and any outcome at all; None if it asks a method of the design, unless ``methods``
    may be asked."""

    def state(base: str) -> Any:
        return reading.state(base) if methods else _tables(reading, base)

    with joined(design), answering(reading):
        given = {
            "before": state("before"),
            "actor": reading.arbitrary(design.actors, "actor"),
            "outcome": _any_outcome(reading, law),
        }
        try:
            return claimed(reading, law.function, state("s"), *law.arguments(given, arbitrary_names(law, reading)))
        except (AttributeError, Unsound):
            return None


class _Denying(Symbolic):
    """Keeps how one implication of a law fails: at each evaluation, that the premise holds and the conclusion does not."""

    def __init__(self, design: Outline, part: Law) -> None:
        self.denied: list[Term] = []
        self._premises: list[Term] = []
        super().__init__(design, prune=False)
        Premises.begin(part.part, left_out=design.looked_at(part))

    def premise(self, term: Term) -> None:
        self._premises.append(term)

    def either(self, a: Term, b: Term) -> Term:
        for premise in self._premises:  # the implication of which it is the premise is put together
            if identical(a, negation(premise)):
                self.denied.append(z3.And(*self._outer, *self.conditions, premise, negation(b)))
        return super().either(a, b)


def _tables(reading: Symbolic, base: str) -> SimpleNamespace:
    """An arbitrary state of which there is nothing but the tables, and the constants of the class."""
    state = reading.state(base)
    constants = {
        name: value
        for cls in reversed(type(state).__mro__)
        for name, value in vars(cls).items()
        if not callable(value) and not hasattr(value, "__get__")
    }
    return SimpleNamespace(**{**constants, **vars(state)})


def _any_outcome(reading: Symbolic, law: Law) -> Any:
    """Any value of the type that a law is about; a Fault is one value."""
    if not isinstance(law.outcome, type):
        return None
    return reading.arbitrary(kind_of(law.outcome), "outcome") if attrs.has(law.outcome) else law.outcome()


def _of_any_state(design: Outline, law: Law, reading: Symbolic, term: Term) -> list[Term]:
    """What holds whatever the tables are: of the names that a law is claimed for, of the numbers in a term, of what was counted."""
    names = arbitrary_names(law, Symbolic(design, prune=False))
    found = [*_of_kinds(term), *(real for name in names for real in real_term(name.kind, name.term))]
    for base in ("s", "before"):
        known = Hypotheses(Instances(design, (), base))
        known.admit(list(reading.lookups.values()), list(reading.counts.values()))
        if known.counts:
            known.saturate()
            known.go_by_counts()
            found += known.asserted
    return found


def _of_kinds(term: Term) -> list[Term]:
    """What holds of the numbers in a term, whatever the tables are: none is below zero."""
    todo, seen = [term], dict[int, Any]()
    while todo:
        each = todo.pop()
        if each.get_id() not in seen:
            seen[each.get_id()] = each
            todo += each.children()
    return [each >= 0 for each in seen.values() if z3.is_int(each) and each.decl().kind() == z3.Z3_OP_UNINTERPRETED]


def _can_be(terms: list[Any]) -> bool:
    """Whether nothing is known against it."""
    solver = z3.SimpleSolver()
    limit(solver, TIMEOUT)
    solver.add(*terms)
    return bool(solver.check() != z3.unsat)
