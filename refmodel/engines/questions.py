"""Every question on whose answer a proof rests. It is asked here, and nowhere else.

A proof rests on the answer ``unsat``: the laws are assumed, a law is denied after a step, and nothing satisfies both. It also rests
on each ``unsat`` that cuts a path off as impossible, and on the rewriting of terms by z3. The answers ``sat`` and ``unknown`` prove
nothing, so no proof rests on them.

A second opinion listens here (``listening``) and is given each such question. Without a listener nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import z3

from refmodel.engines.connectives import identical, implication, number_of, rewritten
from refmodel.engines.z3_library import assume

Term = Any  # a z3 expression; the binding has no types


@attrs.frozen
class Question:
    """Terms of which z3 said that they cannot all hold."""

    about: tuple[str, ...]
    """What is being proved, from the theorem down to the operation."""
    says: str
    """The claim that follows from the answer."""
    terms: tuple[Term, ...]


Listener = Callable[[Question], None]

TIMEOUT = 20_000
"""Milliseconds that the solver may take for one question, on a processor of its own."""

STEPS, PATIENCE = 20_000, 3
"""Steps that z3 takes in a millisecond where questions are hard. They are counted, and not the time, so that what is proved does
not depend on what else the machine does. Should steps be slow, a question ends after so many times as long."""

TOO_MANY = "it took too many steps"
"""Why a question was left without an answer."""

AT_ONCE = 50
"""How many rewritten terms make one question."""


class _Ears:
    """Who listens, and what the questions are about at the moment."""

    listener: Listener | None = None
    about: tuple[str, ...] = ()
    rewritten: dict[tuple[int, int], tuple[Term, Term]] = {}
    """What z3 has rewritten, by the terms' ids, and was not told of yet."""
    confirmed: dict[tuple[int, int], tuple[Term, Term]] = {}
    """What was told of before; the terms are kept, since an id says nothing once its term is gone."""


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within this, the listener is given every question that z3 answered with ``unsat``."""
    before = _Ears.listener
    _Ears.listener = listener
    try:
        yield
    finally:
        _tell_of_rewriting()
        _Ears.confirmed.clear()
        _Ears.listener = before


def is_heard() -> bool:
    """Whether somebody listens."""
    return _Ears.listener is not None


@contextmanager
def about(*names: str) -> Iterator[None]:
    """Within this, questions are about this too: a theorem, or an operation of a design."""
    before = _Ears.about
    _tell_of_rewriting()
    _Ears.about = (*before, *names)
    try:
        yield
    finally:
        _tell_of_rewriting()
        _Ears.about = before


class Solver:
    """A z3 solver. Each question that it answers with ``unsat`` is passed on to the listener."""

    def __init__(self, *assumed: Term, simple: bool = True, timeout: int | None = None) -> None:
        self._solver = z3.SimpleSolver() if simple else z3.Solver()
        if timeout is not None:
            limit(self._solver, timeout)
        if simple:
            self._solver.set("relevancy", 0)  # nearly all of what is assumed is quantifier-free and relevant
            self._solver.set("arith.solver", 2)  # for the little arithmetic of counts z3's older solver is the quicker
        self._terms: list[Term] = []  # as they were added: z3's own list may hold what it made of them
        self._sizes: list[int] = []
        self._marks: dict[int, tuple[Term, Term]] = {}
        self.add(*assumed)

    def add(self, *terms: Term) -> None:
        """Assume these from now on: terms, or lists of them."""
        new = [each for term in terms for each in (term if isinstance(term, list) else [term])]
        self._terms += new
        assume(self._solver, new)

    def push(self) -> None:
        """Keep what is assumed so far, to come back to it."""
        self._sizes.append(len(self._terms))
        self._solver.push()

    def pop(self) -> None:
        """Back to what was assumed at the last ``push``."""
        del self._terms[self._sizes.pop() :]
        self._solver.pop()

    def check(self, *terms: Term, says: str) -> z3.CheckSatResult:
        """Whether these can hold together with all that is assumed; ``says`` is the claim that follows if they cannot."""
        answer = self._solver.check(*terms)
        if answer == z3.unsat and _Ears.listener is not None:
            _Ears.listener(Question(_Ears.about, says, (*self._terms, *terms)))
        return answer

    def cores(self, claims: Sequence[tuple[Sequence[Term], Term]], says: str) -> list[list[Term] | None]:
        """For each of several conditions and a denied claim: those of the conditions with which the denied claim cannot hold, or
        None if it can, or nobody knows. The listener is given what cannot hold as one question."""
        found = [self._with_conditions_only(conditions, denied) for conditions, denied in claims]
        failing = [z3.And(*core, denied) for (_, denied), core in zip(claims, found, strict=True) if core is not None]
        if failing and _Ears.listener is not None:
            _Ears.listener(Question(_Ears.about, says, (*self._terms, z3.Or(failing))))
        return found

    def core(self, terms: Sequence[Term], says: str) -> list[Term] | None:
        """Those of these terms that cannot all hold, or None if they can, or nobody knows; ``says`` is the claim that follows."""
        found = self._core(terms)
        if found is not None and _Ears.listener is not None:
            _Ears.listener(Question(_Ears.about, says, (*self._terms, *found)))
        return found

    def _with_conditions_only(self, conditions: Sequence[Term], denied: Term) -> list[Term] | None:
        core = self._core([*conditions, denied])
        given = set(map(number_of, conditions))
        return None if core is None else [t for t in core if number_of(t) in given]

    def _core(self, terms: Sequence[Term]) -> list[Term] | None:
        marks = {number_of(self._mark(t)): t for t in terms}
        if self._solver.check(*(self._marks[number_of(t)][0] for t in terms)) != z3.unsat:
            return None
        return [marks[number_of(m)] for m in self._solver.unsat_core() if number_of(m) in marks]

    def _mark(self, term: Term) -> Term:
        """A name for a term: the solver, told that it holds, knows that the term does."""
        known = self._marks.get(number_of(term))
        if known is None:
            known = self._marks[number_of(term)] = z3.Bool(f"mark {len(self._marks)}"), term
            assume(self._solver, [implication(known[0], term)])
        return known[0]

    def model(self) -> z3.ModelRef:
        """What satisfies the last question."""
        return self._solver.model()

    def reason_unknown(self) -> str:
        """Why the last question has no answer."""
        return reason(self._solver)


def limit(solver: z3.Solver, timeout: int) -> None:
    """Leave each question to z3 without an answer after so many milliseconds' work."""
    solver.set("rlimit", timeout * STEPS)
    solver.set("timeout", timeout * PATIENCE)


def reason(solver: z3.Solver) -> str:
    """Why the last question to z3 has no answer."""
    why = str(solver.reason_unknown())
    return TOO_MANY if "resource limit" in why else why


def simplified(term: Term) -> Term:
    """A term as z3 rewrites it. That the two are equal is a question too."""
    new = rewritten(term)
    if _Ears.listener is not None and not identical(new, term):
        pair = number_of(term), number_of(new)
        if pair not in _Ears.confirmed and pair not in _Ears.rewritten:
            _Ears.rewritten[pair] = term, new
    return new


def _tell_of_rewriting() -> None:
    """Pass on that z3's rewriting has changed no term's value."""
    pairs, _Ears.rewritten = list(_Ears.rewritten.items()), {}
    if _Ears.listener is None:
        return
    _Ears.confirmed.update(pairs)
    for first in range(0, len(pairs), AT_ONCE):
        some = [old != new for _, (old, new) in pairs[first : first + AT_ONCE]]
        says = f"z3 rewrites terms into equal ones ({len(some)} terms)"
        _Ears.listener(Question(_Ears.about, says, (z3.Or(some),)))
