"""A design running on solver terms: one run of the text stands for that run in every state, of every size.

Names are uninterpreted sorts, of which z3 knows only equality. A table is a function symbol for each scalar of its records,
and what a run writes is kept as a list: reading looks the list through, so terms speak of the first state only. Where the
text tests a truth value, the run forks, and each path carries its conditions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import attrs
import z3

from refmodel.engines.conditions import Counted, Lookup, counting
from refmodel.engines.connectives import choice, conj, disj, identical, is_false, is_true, negation, number_of, same, seen_in
from refmodel.engines.counts import number_now
from refmodel.engines.merging import NONE, go_on, parts_of
from refmodel.engines.questions import Solver, simplified
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.terms import FALSE, TRUE, Term, arbitrary_scalar, constant, product
from refmodel.language.arithmetic import LeavesKind
from refmodel.language.asking import Refused
from refmodel.language.design import Design, Outline
from refmodel.language.forks import Forks
from refmodel.language.joining import Impure
from refmodel.language.kinds import FlagKind, Kind, NameKind, NaturalKind, Scalar, WordKind
from refmodel.language.opaque import opaque, term_of
from refmodel.language.tables import NOTHING
from refmodel.language.unsound import Unsound, text_position

T = TypeVar("T")


@attrs.frozen(slots=False)
class Obligation:
    """Something that must hold at a point of a path, lest ints and terms part (an overflow, a missing key)."""

    conditions: tuple[Term, ...]
    holds: Term
    why: str

    @functools.cached_property
    def ids(self) -> frozenset[int]:
        """Of the conditions."""
        return frozenset([number_of(t) for t in self.conditions])


CUT_OFF = "no lawful state leads along this path"


class _Assuming:
    """Within this, what must hold must hold only where a condition does."""

    def __init__(self, reading: Symbolic, condition: Term) -> None:
        self.reading, self.condition = reading, condition

    def __enter__(self) -> None:
        self.before, self.reading._outer = self.reading._outer, (*self.reading._outer, self.condition)

    def __exit__(self, *_: object) -> None:
        self.reading._outer = self.before


class Symbolic:
    """The path under way: its conditions, what it looked at, what it was told."""

    def __init__(self, design: Outline | None = None, assumptions: Sequence[Term] = (), prune: bool = True) -> None:
        self.design, self.prune = design, prune
        self.forks = Forks()
        self.solver: Any = Solver(*assumptions)
        """Cuts off paths: this one, or one that remembers the laws that it used."""
        self.choices = "choice!"
        """What the terms are called that choices are answered with."""
        self.offered: Callable[[Kind, int], Sequence[Any]] = lambda kind, number: ()
        """What a choice of this kind and number may also fall on, each on a path of its own."""
        self.merges = NONE
        """Which paths of a helper are put together behind each call of it (``merging``)."""
        self._folding = 0
        self._elsewhere: dict[int, Any] = {}
        """By their number, what satisfies the decisions so far where the last is taken the other way."""
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
        self.refusals = 0
        """How often the path might have been refused: by a ``require``, or since there was nothing to choose."""
        self._outer: tuple[Term, ...] = ()
        self.model: Any = None
        """What satisfies the path so far, where that is known: what it satisfies besides need not be asked."""

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
            term = arbitrary_scalar(f"{name}.{path}" if path else name, leaf)
            self.note_term(leaf, term)
            leaves.append(opaque(self, leaf, term))
        return kind.build(iter(leaves))

    def note(self, lookup: Lookup) -> None:
        self.lookups.setdefault(lookup.identity, lookup)

    def note_count(self, counted: Counted) -> None:
        known = self.counts.setdefault(number_of(counted.number), counted)
        if counted.later and known is not counted:
            self.counts[number_of(counted.number)] = attrs.evolve(known, later=(*known.later, *counted.later))

    def note_term(self, kind: Scalar, term: Term) -> None:
        self.noted.setdefault(number_of(term), (kind, term))

    def stamp(self) -> int:
        """The number of the next write."""
        if self._folding:
            raise Impure
        self._stamp += 1
        return self._stamp

    def assuming(self, condition: Term) -> _Assuming:
        """Within this, what must hold must hold only where a condition does."""
        return _Assuming(self, condition)

    # ------------------------------------------------------------ what values ask

    def decide(self, term: Term) -> bool:
        cond = simplified(term)
        if is_true(cond):
            return True
        if is_false(cond):
            return False
        known = self.known.get(number_of(cond))
        if known is not None:
            return known
        if self.forks.replaying():
            taken = self.forks.again()
            if not self._folding and not self.forks.replaying():
                self.model = self._elsewhere.get(self.forks.depth)
        else:
            taken = self.forks.take(self._feasible(cond))
        self._assume(cond if taken else negation(cond))
        self._learn(cond, taken)
        return bool(taken)

    def _feasible(self, cond: Term) -> list[bool]:
        if not self.prune or self._folding:
            return [True, False]
        seen = None if self.model is None else seen_in(self.model, cond)
        models: dict[bool, Any] = {}
        for value in (True, False):
            if seen is value:
                models[value] = self.model
                continue
            answer = self.solver.check(*self.conditions, cond if value else negation(cond), says=CUT_OFF)
            if answer != z3.unsat:
                models[value] = self.solver.model() if answer == z3.sat else None
        if not models:
            raise Refused
        self.model = models.get(True, models.get(False))
        self._elsewhere[self.forks.depth + 1] = models.get(False)
        return list(models)

    def _learn(self, cond: Term, value: bool) -> None:
        negated = simplified(negation(cond))
        self._kept += [cond, negated]  # terms must live as long as their ids are used
        self.known[number_of(cond)], self.known[number_of(negated)] = value, not value

    def given(self, conditions: Sequence[Term], model: Any = None) -> None:
        """These hold already, so that nothing is decided that they say; and what satisfies them, where that is known."""
        for cond in conditions:
            self._learn(cond, True)
        self.model = model

    def _assume(self, cond: Term) -> None:
        self.conditions.append(cond)

    def required(self, term: Term) -> None:
        cond = simplified(term)
        if is_true(cond):
            return
        if self._folding:
            raise Impure
        if is_false(cond) or self.known.get(number_of(cond)) is False:
            raise Refused
        self._assume(cond)
        self._learn(cond, True)
        self.refusals += 1
        if not self.prune or self.forks.replaying() or (self.model is not None and seen_in(self.model, cond)):
            return  # a path that goes on is known to get here
        answer = self.solver.check(*self.conditions, says=CUT_OFF)
        if answer == z3.unsat:
            raise Refused
        self.model = self.solver.model() if answer == z3.sat else None

    def must(self, term: Term, why: str) -> None:
        cond = simplified(term)
        if not is_true(cond):
            why = f"{text_position()}: {why}"
            self.obligations.append(Obligation((*self._outer, *self.conditions), cond, why))

    def constant(self, kind: Scalar, value: Any) -> Term:
        return constant(kind, value)

    def equal(self, a: Term, b: Term) -> Term:
        return TRUE if identical(a, b) else same(a, b)

    def both(self, a: Term, b: Term) -> Term:
        return conj((a, b))

    def either(self, a: Term, b: Term) -> Term:
        return disj((a, b))

    def negated(self, a: Term) -> Term:
        return negation(a)

    def below(self, kind: Scalar, a: Term, b: Term) -> Term:
        return z3.ULT(a, b) if isinstance(kind, WordKind) else a < b

    def arithmetic(self, operator: str, kind: Scalar, a: Term, b: Term) -> tuple[Term, Term | None]:
        if isinstance(kind, NaturalKind):
            return (a + b, None) if operator == "+" else (a - b, a >= b)
        if operator == "+":
            return a + b, z3.UGE(a + b, a)
        if operator == "-":
            return a - b, z3.UGE(a, b)
        if operator == "*":
            return product(a, b)
        if operator == "<<":
            return a << b, z3.And(z3.ULT(b, a.size()), z3.LShR(a << b, b) == a)
        return (z3.UDiv(a, b) if operator == "//" else z3.URem(a, b)), b != 0

    def bitwise(self, operator: str, kind: Scalar, a: Term, b: Term) -> Term:
        return {"&": lambda: a & b, "|": lambda: a | b, "^": lambda: a ^ b, "&~": lambda: a & ~b, ">>": lambda: z3.LShR(a, b)}[
            operator
        ]()

    def premise(self, term: Term) -> None:
        """Vacuity is measured on concrete states."""

    def whole(self, state: Any, run: Callable[[], Any]) -> Any:
        """A call of a helper that may fork: its paths are put together behind it, where that is wanted."""
        if self._folding or not self.merges or not isinstance(state, Design):
            return run()
        tables = {name: table for name, table in vars(state).items() if isinstance(table, Table)}
        part = self.forks.again() if self.forks.replaying() else self.forks.take(parts_of(self, tables, run) or [None])
        if part is None:
            raise Refused
        return go_on(self, tables, part)

    # ------------------------------------------------------------ what the text asks

    def choose(self, kind: Kind, where: Callable[[Any], Any]) -> Any:
        if self._folding:
            raise Impure
        chosen = sum(not isinstance(answer, bool) for answer in self.answers)
        value = self._one_of([self.arbitrary(kind, f"{self.choices}{chosen}"), *self.offered(kind, chosen)])
        self.answers.append((kind, value))
        if isinstance(kind, NameKind):
            self.required(negation(same(value.term, constant(kind, NOTHING))))
        self.required(self.fold(where, value))
        return value

    def yes(self, question: str) -> bool:
        if self._folding:
            raise Impure
        answer = self._one_of([False, True])
        self.answers.append(answer)
        return bool(answer)

    def _one_of(self, options: Sequence[Any]) -> Any:
        """Each of them, on a path of its own."""
        if len(options) == 1:
            return options[0]
        numbers = range(len(options))
        return options[self.forks.again() if self.forks.replaying() else self.forks.take(numbers)]

    def count(self, table: Table, where: Callable[..., Any]) -> Any:
        return opaque(self, NaturalKind(), number_now(self, table, *counting(table, where)))

    def reset(self, table: Table, where: Callable[..., Any]) -> None:
        table.reset(where)

    def assign(self, table: Table, where: Callable[..., Any], value: Any) -> None:
        table.assign(where, value)

    def looked_at(self, operand: Callable[[], Any], assuming: Term) -> Term:
        """An operand of a condition, if all it does is look, and where the operand before it lets it be looked at."""
        outer, self._outer = self._outer, (*self._outer, assuming)
        try:
            return self._fold(operand, (), None)
        finally:
            self._outer = outer

    def alone(self, run: Callable[[], T]) -> tuple[T, list[Obligation]]:
        """What a computation gives wherever it is made, and what must hold for it, whatever else is assumed on this path."""
        path = self.conditions, self.known, self._outer, self.obligations
        self.conditions, self.known, self._outer, self.obligations = [], {}, (), []
        try:
            return run(), self.obligations
        finally:
            self.conditions, self.known, self._outer, self.obligations = path

    def owe(self, obligations: Sequence[Obligation]) -> None:
        """Take over obligations that arose elsewhere: they must hold on this path."""
        here = (*self._outer, *self.conditions)
        self.obligations += [attrs.evolve(o, conditions=(*here, *o.conditions)) for o in obligations]

    def fold(self, predicate: Callable[..., Any], *arguments: Any, kind: Scalar | None = None) -> Term:
        """A predicate as one formula, or any function of a scalar as one term: its paths followed apart and put together.

        It only looks; what writes, asks or raises is ``Unsound``, unless it is within an operand that can be taken in turn.
        """
        try:
            return self._fold(predicate, arguments, kind)
        except Impure as why:
            if self._folding:
                raise
            raise Unsound(f"a law or condition has a side effect{f' ({why})' if str(why) else ''}") from None

    def _fold(self, predicate: Callable[..., Any], arguments: tuple[Any, ...], kind: Scalar | None) -> Term:
        kind = kind or FlagKind()
        outer = self.forks, self.conditions, self.known, self._outer
        self._outer = (*self._outer, *self.conditions)
        self._folding += 1
        paths: list[tuple[list[Term], Term]] = []
        try:
            self.forks = Forks()
            for _ in self.forks.paths():
                self.conditions, self.known = [], dict(outer[2])
                try:
                    value = predicate(*arguments)
                except LeavesKind as wrong:
                    self.must(FALSE, str(wrong))
                    value = kind.default()
                except RecursionError:  # not to be tried again in another way, at each level of it
                    raise Unsound("this is nested too deeply to be followed") from None
                except Exception as error:  # a Fault, a refusal, an abort: it does more than look
                    raise Impure(f"{type(error).__name__}: {error}") from None
                paths.append((self.conditions, term_of(self, kind, value)))
        finally:
            self._folding -= 1
            self.forks, self.conditions, self.known, self._outer = outer
        result = paths[-1][1]
        for conditions, value in reversed(paths[:-1]):
            result = choice(conj(conditions) if len(conditions) != 1 else conditions[0], value, result)
        return simplified(result)
