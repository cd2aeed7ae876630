"""One solver for all the paths of an operation: it learns what they assume, and what was proved of one path counts for others.

Paths have most of their conditions in common. A claim that is proved after a path takes few of them, and the solver says which (an
unsatisfiable core). It is proved of every path that has those, so it is asked about once, and not once for each path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from refmodel.engines.connectives import disj, negation, number_of
from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.questions import Solver
from refmodel.engines.symbolic import CUT_OFF
from refmodel.engines.terms import Term
from refmodel.engines.unchanging import looked_at_together, the_same
from refmodel.language.laws import Law

if TYPE_CHECKING:
    from refmodel.engines.discharging import Discharge


ENOUGH = 1_500
"""Assumptions that one solver is given, before another begins: few paths need what those long before them did."""


@attrs.frozen(eq=False)
class Claim:
    """Something that must hold under the conditions of a path."""

    conditions: tuple[Term, ...]
    ids: frozenset[int]
    """Of the conditions."""
    holds: Term
    of: str
    """What the law is called, or what the text is obliged to."""
    law: Law | None = None

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for claims that are the same."""
        return self.ids, number_of(self.holds)


class Shown:
    """What is proved, each with the conditions that it took."""

    def __init__(self) -> None:
        self._cores: dict[int, list[frozenset[int]]] = {}
        self._kept: list[Term] = []  # an id says nothing once its term is gone

    def __contains__(self, claim: Claim) -> bool:
        return any(core <= claim.ids for core in self._cores.get(number_of(claim.holds), ()))

    def was_for_another_path(self, claim: Claim) -> bool:
        """Whether the claim is shown under conditions that this path does not have. It is then asked about alone, because more
        paths have what it takes by itself. Until then claims are asked about together, which costs least."""
        return number_of(claim.holds) in self._cores

    def add(self, claim: Claim, core: Sequence[Term]) -> None:
        """The claim is proved, and it took these conditions."""
        self._kept += [claim.holds, *core]
        self._cores.setdefault(number_of(claim.holds), []).append(frozenset([number_of(t) for t in core]))


class Standing:
    """What is assumed of the states of all paths so far, and a solver that knows it."""

    def __init__(self, fresh: Callable[[str], Hypotheses], timeout: int, rounds: int) -> None:
        self._fresh, self._rounds, self._timeout = fresh, rounds, timeout
        self._begin()

    def _begin(self) -> None:
        self._solver = Solver(timeout=self._timeout)
        self._known: dict[str, Hypotheses] = {}
        self._sizes: dict[str, int] = {}
        self._real: dict[int, Term] = {}
        self._alike: set[tuple[object, ...]] = set()
        """What is known to be the same after each yield."""
        self._first = 0
        """Assumptions that the first path took."""

    def failing(self, ask: Discharge, claims: Sequence[Claim], shown: Shown) -> list[Claim]:
        """Those of a path's claims that are not proved; what is proved is added to what is shown."""
        self._assume(ask)
        alone = [[c] for c in claims if shown.was_for_another_path(c)]
        together: dict[frozenset[int], list[Claim]] = {}
        for claim in claims:
            if not shown.was_for_another_path(claim):
                together.setdefault(claim.ids, []).append(claim)
        missing = self._unshown([*together.values(), *alone], shown)
        left = [[claim] for some in missing if len(some) > 1 for claim in some]
        return [some[0] for some in [*(some for some in missing if len(some) == 1), *self._unshown(left, shown)]]

    def _unshown(self, groups: Sequence[list[Claim]], shown: Shown) -> list[list[Claim]]:
        """The groups of claims of which not all are proved."""
        asked = [(some[0].conditions, disj([negation(c.holds) for c in some])) for some in groups]
        cores = self._solver.cores(asked, f"along this path every claim ({sum(map(len, groups))}) holds")
        for some, core in zip(groups, cores, strict=True):
            if core is not None:
                for claim in some:
                    shown.add(claim, core)
        return [some for some, core in zip(groups, cores, strict=True) if core is None]

    def may_hold(self, ask: Discharge, conditions: Sequence[Term]) -> bool:
        """Whether nothing is known against a path's conditions."""
        self._assume(ask)
        return self._solver.cores([(conditions[:-1], conditions[-1])], CUT_OFF) == [None] if conditions else True

    def _assume(self, ask: Discharge) -> None:
        """Assume the laws wherever the path and its goals look, and that arbitrary names are names."""
        if sum(self._sizes.values()) > max(ENOUGH, 2 * self._first):
            self._begin()
        for base in ask.bases:
            if base not in self._known:
                self._known[base], self._sizes[base] = self._fresh(base), 0
                self._known[base].rounds = self._rounds
            hypotheses = self._known[base]
            hypotheses.admit(ask.lookups, ask.counts)
            hypotheses.saturate()
        looked_at_together(ask.induction.design, self._known)
        for base, hypotheses in self._known.items():
            self._solver.add(hypotheses.asserted[self._sizes[base] :])
            self._sizes[base] = len(hypotheses.asserted)
        alike = the_same(ask.induction.design, self._known)
        self._solver.add([term for said, term in alike.items() if said not in self._alike])
        self._alike |= alike.keys()
        self._first = self._first or sum(self._sizes.values())
        new = {number_of(t): t for t in ask.real if number_of(t) not in self._real}
        self._real |= new
        self._solver.add(list(new.values()))
