"""Which laws a proof used: from unsatisfiable cores, for each obligation, and for the paths that were cut off as impossible.

A law X is shown as soon as the laws that its proof rests on are kept by every operation. What those proofs rest on counts too, and
so do the cut-offs: a path that was left out was left out for every law.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import z3

from refmodel.engines.connectives import number_of
from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.questions import limit
from refmodel.engines.terms import Term

if TYPE_CHECKING:
    from refmodel.engines.induction import Proved


class CutOffs:
    """A solver that cuts paths off, and remembers the laws that this took."""

    def __init__(self) -> None:
        self._solver = z3.SimpleSolver()
        self._marks: dict[str, Term] = {}
        self.used: set[str] = set()

    def add(self, *terms: Term) -> None:
        """Assume these: they are true of any state."""
        self._solver.add(*terms)

    def add_law(self, law: str, term: Term) -> None:
        """Assume an instance of a law."""
        self._solver.add(z3.Implies(_mark(self._marks, law), term))

    def check(self, *terms: Term, says: str = "") -> Any:
        """Whether these can hold together with all that is assumed."""
        self._solver.push()
        try:
            self._solver.add(*terms)
            answer = self._solver.check(*self._marks.values())
            if answer == z3.unsat:
                self.used |= _core(self._solver, self._marks)
            if answer == z3.sat:
                self._model = self._solver.model()
            return answer
        finally:
            self._solver.pop()

    def model(self) -> z3.ModelRef:
        """What satisfies the last question."""
        return self._model


def laws_used(known: Iterable[Hypotheses], claim: Sequence[Term], timeout: int) -> frozenset[str]:
    """The laws without which the claim would not be refuted; where the solver gives up, all of them."""
    solver = z3.Solver()
    limit(solver, timeout)
    solver.add(*claim)
    marks: dict[str, Term] = {}
    for hypotheses in known:
        for number, term in enumerate(hypotheses.asserted):
            law = hypotheses.of_law.get(number)
            solver.add(term if law is None else z3.Implies(_mark(marks, law), term))
    if solver.check(*marks.values()) != z3.unsat:
        return frozenset(marks)
    needed = _core(solver, marks)
    for law in sorted(needed):  # the solver's core may have more than it takes
        fewer = needed - {law}
        if solver.check(*(marks[each] for each in fewer)) == z3.unsat:
            needed = fewer & _core(solver, marks)
    return frozenset(needed)


def _mark(marks: dict[str, Term], law: str) -> Term:
    return marks.setdefault(law, z3.Bool(f"law {law}"))


def _core(solver: Any, marks: dict[str, Term]) -> set[str]:
    used = {number_of(t) for t in solver.unsat_core()}
    return {law for law, mark in marks.items() if number_of(mark) in used}


# ---------------------------------------------------------------- over all operations


def table(done: Proved) -> dict[str, frozenset[str]]:
    """For each law, by name, the laws that its proof leans on, over all operations; a law itself is not named."""
    found: dict[str, frozenset[str]] = {}
    for j in done.judgements():
        if j.law is not None:
            found[j.law.name] = found.get(j.law.name, frozenset()) | (j.leans_on - {j.law.name})
    return found


def for_every_law(done: Proved) -> frozenset[str]:
    """The laws that every proof leans on: they cut paths off, or show that the text does not go wrong."""
    used = [p.cut_off for p in done.proofs] + [j.leans_on for j in done.judgements() if j.law is None]
    return frozenset().union(*used)


def rests_on(done: Proved, law: str) -> frozenset[str]:
    """All the laws without which this one is not shown, itself among them."""
    uses = table(done)
    found, todo = set[str](), {law, *for_every_law(done)}
    while todo:
        found |= todo
        todo = {other for each in todo for other in uses.get(each, ())} - found
    return frozenset(found)


def kept(done: Proved) -> Collection[str]:
    """The laws that hold at first and that every operation keeps, as long as the laws that they lean on hold."""
    judged = {j.law.name for j in done.judgements() if j.law is not None}
    return judged - {j.law.name for j in done.judgements() if j.law is not None and j.verdict != "proved"}


def is_shown(done: Proved, law: str) -> bool:
    """Whether a law is proved, and all that it rests on; no operation was left out, and the text does not go wrong."""
    sound = not done.skipped and all(j.verdict == "proved" for j in done.judgements() if j.law is None)
    return sound and rests_on(done, law) <= set(kept(done))
