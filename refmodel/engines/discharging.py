"""Questions about one path: whether anything that must hold along it, or after it, can fail."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import z3

from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.judgements import GAVE_UP, Judgement
from refmodel.engines.leaning import laws_used
from refmodel.engines.paths import Path, Segment, base_of
from refmodel.engines.questions import Solver, reason
from refmodel.engines.scope import Scope, Witness
from refmodel.engines.symbolic import Obligation, Symbolic
from refmodel.engines.terms import ANY, Term, called, is_given, real_term
from refmodel.engines.unchanging import looked_at_together, the_same
from refmodel.engines.unknowns import bases_of
from refmodel.language.kinds import NameKind, NaturalKind, Scalar
from refmodel.language.laws import Law

if TYPE_CHECKING:
    from refmodel.engines.prover import Induction

AFTER_A_YIELD = (
    "not proved: after a yield the state may be any lawful one, and what was required before it may be so no longer. "
    "Require it again, or state a law about an entry that says how far the operation is"
)
"""Why an operation that others interrupt is not proved, and what helps."""

NO_COUNTEREXAMPLE = "no counterexample with"
"""How it is said that no lawful state of a geometry leads to what must not be."""

ATTEMPTS = 4
"""How often a counterexample is looked for, each time in another order."""


class Discharge:
    """The questions about one path."""

    def __init__(self, induction: Induction, path: Path, reading: Symbolic) -> None:
        """The reading has noted what the goals look at."""
        self.induction, self.path = induction, path
        self.lookups = [*path.lookups.values(), *reading.lookups.values()]
        self.bases = list(
            dict.fromkeys(
                [induction.base, *(base_of(induction.design, s.before) for s in path.segments), *(x.base for x in self.lookups)]
            )
        )
        """The arbitrary states: the first, and one for each point where others have run."""
        self.counts = [*path.counts.values(), *reading.counts.values()]
        self.terms: dict[int, tuple[Scalar, Term]] = {**path.noted, **reading.noted}
        self.real = [
            real for leaf, t in self.terms.values() if z3.is_const(t) and called(t).startswith(ANY) for real in real_term(leaf, t)
        ]
        """That arbitrary names are not NOTHING."""

    @functools.cached_property
    def known(self) -> dict[str, Hypotheses]:
        """What is assumed of this path's states, wherever it looks and somewhat farther."""
        known = {base: self.induction.hypotheses(base) for base in self.bases}
        for hypotheses in known.values():
            hypotheses.admit(self.lookups, self.counts)
            hypotheses.saturate()
            hypotheses.go_far()
        looked_at_together(self.induction.design, known)
        return known

    @functools.cached_property
    def _solver(self) -> Solver:
        solver = Solver(timeout=self.induction.timeout)
        for hypotheses in self.known.values():
            solver.add(*hypotheses.asserted)
        solver.add(*self._the_same())
        return solver

    def _the_same(self) -> list[Term]:
        """That what no operation writes to is the same after each yield."""
        return list(the_same(self.induction.design, self.known).values())

    @property
    def assumed(self) -> int:
        """How many terms are assumed of this path's states."""
        return sum(len(hypotheses.asserted) for hypotheses in self.known.values())

    def go_by_values(self) -> None:
        """Assume laws that count entries at what the entries contain that the path looks at."""
        for hypotheses in self.known.values():
            hypotheses.go_by_values()
        self.__dict__.pop("_solver", None)

    def go_farthest(self) -> None:
        """Leave nothing out that may help."""
        for hypotheses in self.known.values():
            hypotheses.go_farthest()
        self.__dict__.pop("_solver", None)

    def go_everywhere(self) -> None:
        """Assume every law at all names that the path and its goals speak of."""
        for hypotheses in self.known.values():
            hypotheses.go_everywhere(self.terms.values())
        self.__dict__.pop("_solver", None)

    def go_beyond(self) -> None:
        """Assume laws at what only other laws name, several lookups from the path."""
        for hypotheses in self.known.values():
            hypotheses.go_beyond()
        self.__dict__.pop("_solver", None)

    def laws_used(self, claim: Sequence[Term]) -> frozenset[str]:
        """The laws without which the claim would not be refuted."""
        return laws_used(self.known.values(), (*claim, *self.real, *self._the_same()), self.induction.timeout)

    def about(self, law: Law, segment: Segment, denied: Term) -> Judgement:
        """Whether the denied law has no model."""
        began = time.perf_counter()
        witness: Witness | None = None
        verdict, why = self._refuted((*segment.conditions, denied), f"after this path {law.name} holds"), ""
        if verdict == "not proved":
            bases = self._up_to(base_of(self.induction.design, segment.before))
            verdict, witness, why = self._in_scopes(law, segment.conditions, segment.answers, denied, bases)
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
        if answer == "not proved" and self.induction.explains:
            spoken_of = bases_of((*obligation.conditions, obligation.holds))
            bases = self._up_to(max((b for b in self.bases if b in spoken_of), key=self.bases.index, default=self.bases[0]))
            _, witness, _ = self._in_scopes(None, obligation.conditions, self.path.answers, z3.Not(obligation.holds), bases)
        return Judgement(
            self.induction.op.name, None, "unknown", time.perf_counter() - began, witness, why=f"{answer}: {obligation.why}"
        )

    def refutes(self, claim: Sequence[Term]) -> bool:
        """Whether the claim has no model."""
        return self.is_refuted(claim, "this path leads to nothing that must not be")

    def is_refuted(self, claim: Sequence[Term], says: str) -> bool:
        """Whether the claim has no model."""
        return self._refuted(claim, says) == "proved"

    def _refuted(self, claim: Sequence[Term], says: str) -> str:
        """``proved`` if the claim has no model, ``not proved`` if it has one, and otherwise why nobody knows."""
        self._solver.push()
        try:
            self._solver.add(*claim, *self.real)
            answer = self._solver.check(says=says)
            if answer == z3.unknown:
                return f"{GAVE_UP}: {self._solver.reason_unknown()}"
            return "proved" if answer == z3.unsat else "not proved"
        finally:
            self._solver.pop()

    def _up_to(self, base: str) -> list[str]:
        """The arbitrary states of the parts of an operation, up to this one."""
        return self.bases[: self.bases.index(base) + 1]

    def _in_scopes(
        self, law: Law | None, conditions: Sequence[Term], answers: Sequence[Any], denied: Term, bases: Sequence[str]
    ) -> tuple[str, Witness | None, str]:
        """Look for a counterexample of a small size, in a larger geometry if the design's own has none."""
        if len(bases) > 1 and self.induction.design.constant:
            return "unknown", None, AFTER_A_YIELD
        found: tuple[str, Witness | None, str] = ("unknown", None, "")
        for number, scopes in enumerate(self.induction.scopes(bases if len(bases) > 1 else ("s",))):
            attempts = 1 if number else ATTEMPTS  # much that has none here is proved when all laws are assumed
            verdict, witness, why = self._in_scope(scopes, law, conditions, answers, denied, attempts)
            if verdict == "refuted":
                return verdict, witness, why
            if NO_COUNTEREXAMPLE not in why:  # in a larger geometry that says less than what is known of the smaller one
                found = found if found[-1] else (verdict, witness, why)
                break
            found = verdict, witness, why
        return found if len(bases) == 1 else ("unknown", None, AFTER_A_YIELD)

    def _in_scope(
        self,
        scopes: Sequence[Scope],
        law: Law | None,
        conditions: Sequence[Term],
        answers: Sequence[Any],
        denied: Term,
        attempts: int,
    ) -> tuple[str, Witness | None, str]:
        induction = self.induction
        *earlier, scope = scopes
        later = [each for counted in self.counts for each in counted.later]
        counts = [*self.counts, *(counted for each in later for counted in each.of)]
        sizes = [len(each.asserted) for each in scopes]
        for each in scopes:
            each.count([counted for counted in counts if len(scopes) == 1 or counted.base == each.base])
        solver = scope.solver(induction.timeout // ATTEMPTS)
        for each, size in zip(scopes, sizes, strict=True):
            if each is not scope:
                solver.add(*each.asserted)
            del each.asserted[size:]
        solver.add(*conditions, denied, *self.real, *(each.is_so for each in later))
        for leaf, term in self.terms.values():
            if isinstance(leaf, NameKind) and z3.is_const(term):
                solver.add(scope.among(leaf, term))
            elif isinstance(leaf, NaturalKind):
                solver.add(term >= 0, *([] if is_given(term) else [term <= scope.geometry.naturals]))
        why = ""
        for seed in range(attempts):  # what is hard for the solver in one order may be easy in another
            solver.set("random_seed", seed)
            answer = solver.check()
            if answer == z3.unsat:
                where, more = str(scope.geometry) or f"numbers up to {scope.geometry.naturals}", "a larger geometry may have one"
                return "unknown", None, f"not proved, and {NO_COUNTEREXAMPLE} {where}; {more}"
            if answer == z3.unknown:
                why = why or f"not proved; looking for a counterexample, the solver gave up: {reason(solver)}"
                continue
            witness = scope.witness(solver.model(), induction.op, induction.arguments, answers, law, earlier)
            if witness is not None:
                return "refuted", witness, ""
            why = "not proved; the solver's counterexample does not happen on ints"
        return "unknown", None, why
