"""Noninterference, for any number of names: an operation is run from two arbitrary lawful states that look alike to its VM.

``unwinding`` visits the states of a small geometry; here are *output* and *step* as theorems. The operation is followed along every
two of its paths, once from each state, with the same arguments and with answers of their own. The states agree on the VM's own
entries of the tables that it can know, wherever either run looks. Then it is shown the same, and the states agree afterwards.
What an operation shows that is among the design's ``flows`` is meant to be known: where both runs show the same, the states agree
afterwards.

A run that exits shows nothing yet, and one that writes to nothing that can be known changes nothing yet: they stand for time, which
is left out. (*Respect* is a law about single steps, ISO-6 in ``laws/isolation``.)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import attrs
import z3

from refmodel.bare import Event
from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.prover import TIMEOUT, Induction, Path
from refmodel.engines.questions import Solver, about
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Lookup, SymbolicPage, Table
from refmodel.engines.terms import Term, constant, real_term
from refmodel.engines.unwinding import flows_of, known_tables
from refmodel.language.annotations import kind_of
from refmodel.language.asking import answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.kinds import NameKind
from refmodel.language.opaque import Opaque
from refmodel.language.tables import NOTHING


@attrs.frozen
class Twins:
    """What came of running an operation twice."""

    operation: str
    pairs: int
    """Pairs of paths of which both show something, or change what can be known."""
    possible: bool
    """Whether two lawful states that look alike can take one of those pairs: if none can, nothing is said."""
    failing: tuple[str, ...]
    """What is not proved, and why."""
    seconds: float


def prove_twins(design: Outline, name: str) -> Twins:
    """Output and step consistency of one operation of a guest's."""
    began = time.perf_counter()
    with joined(design), about(name):
        one, other = _Side(design, name, "s"), _Side(design, name, "t")
        pairs = [_Pair(design, one, other, mine, theirs) for mine in one.paths for theirs in other.paths]
        telling = [pair for pair in pairs if pair.changes or (pair.final and not pair.meant)]
        possible = any(pair.is_possible() for pair in telling)
        failing = [why for pair in telling if (why := pair.failing())]
    return Twins(name, len(telling), possible, tuple(failing), time.perf_counter() - began)


class _Side:
    """One of the two runs: every path of the operation from its own arbitrary state."""

    def __init__(self, design: Outline, name: str, base: str) -> None:
        self.base = base
        self.op: Operation = design.operation(name)
        self.induction = Induction(design, self.op, base=base)
        self.paths: list[Path] = [path for path in self.induction.paths() if path.segments]
        self.arguments = self.induction.arguments

    def hypotheses(self) -> Hypotheses:
        return self.induction.hypotheses(self.base)


class _Pair:
    """A path from each of two states that look alike."""

    def __init__(self, design: Outline, one: _Side, other: _Side, mine: Path, theirs: Path) -> None:
        self.design, self.sides, self.paths = design, (one, other), (mine, theirs)
        self.known = [design.table(name) for name in known_tables(design)]
        self.vm = one.op.actor(one.arguments).term
        ends = [path.segments[-1] for path in self.paths]
        self.shown = [getattr(end.outcome, "shown", end.outcome) for end in ends]  # without such a field, all of it is shown
        self.final = all(s is not None and getattr(s, "event", None) is not Event.EXITED for s in self.shown)
        """Whether both show something."""
        self.meant = one.op.name in flows_of(design)
        """Whether what it shows is meant to be known, so that only what is known afterwards may not differ where it is the same."""
        self.changes = all(any(k.name in end.written for k in self.known) for end in ends)
        """Whether both write to what can be known."""

    def is_possible(self) -> bool:
        """Whether anything is known against it."""
        solver = self._solver(Symbolic(self.design, prune=False), far=True)
        return bool(solver.check(says="no two states can take these paths") != z3.unsat)

    def failing(self) -> str:
        """Empty if nothing can differ."""
        reading = Symbolic(self.design, prune=False)
        goals = list(_same(*self.shown)) if self.final and not self.meant else []
        goals += [goal for kind in self.known if self.changes for goal in self._alike_after(reading, kind)]
        answer = z3.unknown
        for far in (False, True):
            solver = self._solver(reading, far)
            solver.add(z3.Or([z3.Not(goal) for goal in goals]))
            for leaf, name in reading.noted.values():  # under NOTHING nothing is ever stored
                if str(name).startswith("any!!"):
                    solver.add(*real_term(leaf, name))
            answer = solver.check(says="the VM is shown the same, and knows the same")
            if answer == z3.unsat:
                return ""
        why = "the solver gave up" if answer == z3.unknown else "what is shown, or known afterwards, may differ"
        return f"{self.sides[0].op.name}: {why}"

    def _alike_after(self, reading: Symbolic, kind: Any) -> Iterator[Term]:
        """That the VM's own entries of a table are the same after both, at an arbitrary key."""
        key = (self.vm, *(reading.arbitrary(k, f"any!!{k}.{i}").term for i, k in enumerate(kind.keys[1:])))
        leaves = []
        for path in self.paths:
            table: Table = getattr(path.segments[-1].after, kind.name)
            table.reading = reading
            with answering(reading):
                leaves.append(table.peek(key))
        yield from (a == b for a, b in zip(*leaves, strict=True))

    def _solver(self, reading: Symbolic, far: bool) -> Any:
        """All that is known: each path's conditions, the laws of either state, and that they look alike."""
        solver = Solver(timeout=TIMEOUT)
        looked = [Lookup(side.base, x.table, x.key) for side in self.sides
                  for x in [*self.paths[0].lookups.values(), *self.paths[1].lookups.values(), *reading.lookups.values()]]
        for side, path in zip(self.sides, self.paths, strict=True):
            hypotheses = side.hypotheses()
            hypotheses.admit(looked, [*path.counts.values(), *reading.counts.values()])
            hypotheses.saturate()
            if far:
                hypotheses.go_far()
            solver.add(*hypotheses.asserted, *path.segments[-1].conditions)
        for kind in self.known:
            one, other = (Table(reading, kind, side.base) for side in self.sides)
            for key in dict.fromkeys(x.key for x in looked if x.table == kind.name):
                same = [a == b for a, b in zip(one.first(key), other.first(key), strict=True)]
                solver.add(z3.Implies(key[0] == self.vm, z3.And(same)))
        if self.meant and self.final:
            solver.add(*_same(*self.shown))
        solver.add([term != constant(leaf, NOTHING) for leaf, term in reading.noted.values() if isinstance(leaf, NameKind)])
        return solver


def _same(one: Any, other: Any) -> Iterator[Term]:
    """That two values that are shown are the same."""
    if isinstance(one, Opaque):
        yield one.term == other.term
    elif isinstance(one, SymbolicPage):
        yield (one == other).term
    elif attrs.has(type(one)):
        kind = kind_of(type(one))
        for (_, leaf), a, b in zip(kind.leaves(), kind.flatten(one), kind.flatten(other), strict=True):
            terms = [v.term if isinstance(v, Opaque) else constant(leaf, v) for v in (a, b)]
            yield terms[0] == terms[1]
    else:
        yield z3.BoolVal(one == other)
