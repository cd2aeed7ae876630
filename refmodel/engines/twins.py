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

import functools
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.connectives import number_of
from refmodel.engines.formulas import Formula
from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.merging import MOST, attempts
from refmodel.engines.outcomes import exits, shown_to_guest
from refmodel.engines.paths import Segment
from refmodel.engines.prover import TIMEOUT, Induction, Path
from refmodel.engines.questions import Solver, about
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import Lookup, SymbolicPage, Table
from refmodel.engines.terms import ANY, Term, constant, real_term
from refmodel.engines.unwinding import flows_of, known_tables
from refmodel.language.annotations import kind_of
from refmodel.language.asking import answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.kinds import NameKind, TableKind
from refmodel.language.opaque import Opaque


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


def prove_twins(design: Outline, name: str, known: dict[str, Sequence[Formula]] | None = None) -> Twins:
    """Output and step consistency of one operation of a guest's. ``known`` keeps the laws as formulas, for other operations.

    Paths of helpers are put together first. What is not proved so is asked about path by path."""
    for merges, forgiving in attempts(MOST):
        with forgiving:
            done = _twins(design, name, known, merges)
            if not done.failing:
                break
    return done


def _twins(design: Outline, name: str, known: dict[str, Sequence[Formula]] | None, merges: int) -> Twins:
    began = time.perf_counter()
    with joined(design), about(name):
        sides = _Side(design, name, "s", known, merges), _Side(design, name, "t", known, merges)
        reading = Symbolic(design, prune=False)
        pairs = [_Pair(design, sides, paths, reading) for paths in itertools.product(*(side.paths for side in sides))]
        telling = [pair for pair in pairs if pair.goals]
        alike = _Alike(design, sides, reading)
        possible = any(pair.is_possible(alike) for pair in telling)
        failing = [why for pair in telling if (why := pair.failing(alike))]
    return Twins(name, len(telling), possible, tuple(failing), time.perf_counter() - began)


class _Side:
    """One of the two runs: every path of the operation from its own arbitrary state."""

    def __init__(self, design: Outline, name: str, base: str, known: dict[str, Sequence[Formula]] | None, merges: int) -> None:
        self.base = base
        self.op: Operation = design.operation(name)
        self.induction = Induction(design, self.op, base=base, known=known, merges=merges)
        self.paths: list[Path] = [path for path in self.induction.paths() if path.segments]
        self.arguments = self.induction.arguments

    def hypotheses(self) -> Hypotheses:
        return self.induction.hypotheses(self.base)


class _Pair:
    """A path from each of two states that look alike."""

    def __init__(self, design: Outline, sides: tuple[_Side, _Side], paths: tuple[Path, ...], reading: Symbolic) -> None:
        """``reading`` notes what goals look at."""
        self.op = sides[0].op
        known = [design.table(name) for name in known_tables(design)]
        ends = [path.segments[-1] for path in paths]
        shown = [shown_to_guest(end.outcome) for end in ends]
        final = not any(_will_be_tried_again(end) for end in ends) and any(each is not None for each in shown)
        meant = self.op.name in flows_of(design)  # what it shows may be known: only what is known afterwards may not differ
        self.goals = list(_same(*shown)) if final and not meant else []
        if all(any(kind.name in end.written for kind in known) for end in ends):
            vm = self.op.actor(sides[0].arguments).term
            self.goals += [goal for kind in known for goal in _alike_after(reading, kind, vm, [end.after for end in ends])]
        self.given = [*(term for end in ends for term in end.conditions), *(_same(*shown) if meant and final else ())]

    def is_possible(self, alike: _Alike) -> bool:
        """Whether nothing is known against it."""
        return not alike.never(self.given, "no two states can take these paths")

    def failing(self, alike: _Alike) -> str:
        """Empty if nothing can differ."""
        differs = z3.Or([z3.Not(goal) for goal in self.goals])
        if alike.never([*self.given, differs], "the VM is shown the same, and knows the same"):
            return ""
        return f"{self.op.name}: what is shown, or known afterwards, may differ, or the solver gave up"


def _will_be_tried_again(end: Segment) -> bool:
    """Whether an instruction exits; or shows nothing where something was asked for in vain, as memory may be."""
    shown = shown_to_guest(end.outcome)
    return exits(shown) or (shown is None and any(answer is True for answer in end.answers))


def _alike_after(reading: Symbolic, kind: TableKind, vm: Term, states: Sequence[Any]) -> Iterator[Term]:
    """That the VM's own entries of a table are the same in both states, at an arbitrary key."""
    key = (vm, *(reading.arbitrary(k, f"{ANY}{k}.{i}").term for i, k in enumerate(kind.keys[1:])))
    leaves = []
    for state in states:
        table: Table = getattr(state, kind.name)
        table.reading = reading
        with answering(reading):
            leaves.append(table.peek(key))
    yield from (a == b for a, b in zip(*leaves, strict=True))


class _Alike:
    """Two lawful states that look alike to the VM, wherever any path or goal looks."""

    def __init__(self, design: Outline, sides: tuple[_Side, _Side], reading: Symbolic) -> None:
        self.design, self.sides, self.reading = design, sides, reading
        self.vm = sides[0].op.actor(sides[0].arguments).term
        self._cores: list[tuple[frozenset[int], list[Term]]] = []
        """What cannot all hold, by the terms' numbers; with the terms, so that they keep these. Most pairs fail for a reason that
        another had."""

    def never(self, terms: Sequence[Term], says: str) -> bool:
        """Whether these cannot all hold, as far as is known. Laws are assumed near first."""
        numbers = {number_of(term) for term in terms}
        if any(core <= numbers for core, _ in self._cores):
            return True
        core = self.near.core(terms, says) or self.far.core(terms, says)
        if core is not None:
            self._cores.append((frozenset(map(number_of, core)), core))
        return core is not None

    @functools.cached_property
    def near(self) -> Solver:
        """Knows that they look alike, and what the laws say of what is looked at."""
        return self._knowing(far=False)

    @functools.cached_property
    def far(self) -> Solver:
        """Knows besides what the laws say farther from there."""
        return self._knowing(far=True)

    def _knowing(self, far: bool) -> Solver:
        reading, solver = self.reading, Solver(timeout=TIMEOUT)
        looked = [*(x for side in self.sides for path in side.paths for x in path.lookups.values()), *reading.lookups.values()]
        for side in self.sides:
            hypotheses = side.hypotheses()
            hypotheses.admit(
                [Lookup(side.base, x.table, x.key) for x in looked],
                [*(c for path in side.paths for c in path.counts.values()), *reading.counts.values()],
            )
            hypotheses.saturate()
            if far:
                hypotheses.go_far()
            solver.add(*hypotheses.asserted)
        for kind in (self.design.table(name) for name in known_tables(self.design)):
            one, other = (Table(reading, kind, side.base) for side in self.sides)
            for key in dict.fromkeys(x.key for x in looked if x.table == kind.name):
                same = [a == b for a, b in zip(one.first(key), other.first(key), strict=True)]
                solver.add(z3.Implies(key[0] == self.vm, z3.And(same)))
        solver.add(
            [
                term
                for leaf, name in reading.noted.values()
                if str(name).startswith(ANY) or isinstance(leaf, NameKind)
                for term in real_term(leaf, name)
            ]
        )  # under NOTHING nothing is ever stored
        return solver


def _same(one: Any, other: Any) -> Iterator[Term]:
    """That two values that are shown are the same."""
    if type(one) is not type(other):
        yield z3.BoolVal(False)
    elif isinstance(one, Opaque):
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
