"""Questions about one path: whether anything that must hold along it, or after it, can fail."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import z3

from refmodel.engines.goals import Goal
from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.judgements import Judgement
from refmodel.engines.paths import Path, Segment
from refmodel.engines.questions import Solver
from refmodel.engines.scope import Witness
from refmodel.engines.symbolic import Obligation
from refmodel.engines.terms import Term, real_term
from refmodel.language.kinds import NameKind, NaturalKind, Scalar
from refmodel.language.laws import Law

if TYPE_CHECKING:
    from refmodel.engines.prover import Induction

ATTEMPTS = 4
"""How often a counterexample is looked for, each time in another order."""


class Assumed:
    """A solver that knows what is assumed of a path's states, and learns what is assumed later."""

    def __init__(self, known: Mapping[str, Hypotheses], timeout: int) -> None:
        self.solver = Solver(timeout=timeout)
        self.known = known
        self._sizes = dict.fromkeys(known, 0)
        self.learn()

    def learn(self) -> None:
        """Assume what has come to be assumed since."""
        for base, hypotheses in self.known.items():
            self.solver.add(hypotheses.asserted[self._sizes[base]:])
            self._sizes[base] = len(hypotheses.asserted)

    @contextmanager
    def within(self, *terms: Term) -> Iterator[None]:
        """While this holds, these terms do. What is learnt meanwhile is forgotten with them."""
        sizes = dict(self._sizes)
        self.solver.push()
        try:
            self.solver.add(*terms)
            yield
        finally:
            self.solver.pop()
            self._sizes = sizes

    def answer(self, says: str) -> str:
        """``proved`` if what is assumed has no model, ``not proved`` if it has one, and otherwise why nobody knows."""
        answer = self.solver.check(says=says)
        if answer == z3.unknown:
            return f"the solver gave up: {self.solver.reason_unknown()}"
        return "proved" if answer == z3.unsat else "not proved"


class Discharge:
    """The questions about one path."""

    def __init__(self, induction: Induction, path: Path, assumed: Assumed) -> None:
        self.induction, self.path, self.assumed = induction, path, assumed
        self.terms: dict[int, tuple[Scalar, Term]] = dict(path.noted)
        self.real: list[Term] = []
        """That arbitrary names are not NOTHING."""

    @property
    def known(self) -> Mapping[str, Hypotheses]:
        return self.assumed.known

    def taken(self) -> AbstractContextManager[None]:
        """While this holds, the first segment of the path is taken."""
        return self.assumed.within(*self.path.segments[0].conditions if self.path.segments else ())

    def note(self, terms: Mapping[int, tuple[Scalar, Term]]) -> None:
        """What goals speak of besides."""
        self.terms |= terms
        self.real = [real for leaf, t in self.terms.values() if z3.is_const(t) and str(t).startswith("any!!")
                     for real in real_term(leaf, t)]

    # ------------------------------------------------------------ all at once, where it nearly always is so

    def none_fails(self, obligations: Sequence[Obligation]) -> bool:
        """Whether none of these obligations of the text can fail."""
        if not obligations:
            return True
        with self.assumed.within(z3.Or([z3.And(*o.conditions, z3.Not(o.holds)) for o in obligations])):
            return self.assumed.answer(f"along this path every obligation of the text ({len(obligations)}) holds") == "proved"

    def all_hold(self, goals: Sequence[Goal]) -> bool:
        """Whether all laws hold after the path, while it is taken."""
        known = len(self.path.segments[0].conditions) if self.path.segments else 0
        denied = [(s, [z3.Not(goal) for _, of, goal in goals if of is s and goal is not None]) for s in self.path.segments]
        failing = [z3.And(*s.conditions[known:], z3.Or(some)) for s, some in denied if some]
        if not failing:
            return True
        number = sum(len(some) for _, some in denied)
        with self.assumed.within(z3.Or(failing), *self.real):
            return self.assumed.answer(f"along this path every law ({number}) holds") == "proved"

    # ------------------------------------------------------------ one by one

    def about(self, law: Law, segment: Segment, denied: Term) -> Judgement:
        """Whether the denied law has no model."""
        began = time.perf_counter()
        witness: Witness | None = None
        verdict, why = self._refuted((*segment.conditions, denied), f"after this path {law.name} holds"), ""
        if verdict == "not proved":
            if len(self.known) > 1:
                verdict, why = "unknown", "not proved; the state after a yield may be any lawful one"
            else:
                verdict, witness, why = self._in_scope(law, segment.conditions, segment.answers, denied)
        elif verdict != "proved":
            verdict, why = "unknown", verdict
        return Judgement(self.induction.op.name, law, verdict, time.perf_counter() - began, witness, why)

    def obligation(self, obligation: Obligation) -> Judgement:
        """Whether an obligation holds where it arose: what the text requires after that excuses nothing before it."""
        began = time.perf_counter()
        answer = self._refuted((*obligation.conditions, z3.Not(obligation.holds)), f"this does not come about: {obligation.why}")
        if answer == "proved":
            return Judgement(self.induction.op.name, None, "proved", time.perf_counter() - began)
        witness: Witness | None = None
        if answer == "not proved" and len(self.known) == 1 and self.induction.explains:
            _, witness, _ = self._in_scope(None, obligation.conditions, self.path.answers, z3.Not(obligation.holds))
        return Judgement(self.induction.op.name, None, "unknown", time.perf_counter() - began, witness,
                         why=f"{answer}: {obligation.why}")

    def refutes(self, claim: Sequence[Term]) -> bool:
        """Whether the claim has no model."""
        return self._refuted(claim, "this path leads to nothing that must not be") == "proved"

    def _refuted(self, claim: Sequence[Term], says: str) -> str:
        with self.assumed.within(*claim, *self.real):
            return self.assumed.answer(says)

    def _in_scope(self, law: Law | None, conditions: Sequence[Term], answers: Sequence[Any], denied: Term
                  ) -> tuple[str, Witness | None, str]:
        """Look for a counterexample of a small size."""
        induction = self.induction
        scope = induction.scope()
        size = len(scope.asserted)
        scope.count(self.path.counts.values())
        solver = scope.solver(induction.timeout // ATTEMPTS)
        del scope.asserted[size:]
        solver.add(*conditions, denied, *self.real)
        for leaf, term in self.terms.values():
            if isinstance(leaf, NameKind) and z3.is_const(term):
                solver.add(scope.among(leaf, term))
            elif isinstance(leaf, NaturalKind):
                solver.add(term >= 0, term <= scope.geometry.naturals)
        answer = z3.unknown
        for seed in range(ATTEMPTS):  # what is hard for the solver in one order may be easy in another
            solver.set("random_seed", seed)
            answer = solver.check()
            if answer != z3.unknown:
                break
        if answer == z3.unknown:
            return "unknown", None, f"not proved; looking for a counterexample, the solver gave up: {solver.reason_unknown()}"
        if answer == z3.unsat:
            return "unknown", None, f"not proved, and no counterexample with {scope.geometry}; a larger geometry may have one"
        witness = scope.witness(solver.model(), induction.op, induction.arguments, answers, law)
        if witness is None:
            return "unknown", None, "not proved; the solver's counterexample does not happen on ints"
        return "refuted", witness, ""
