"""Whether a mutant does the same as the text itself from every lawful state, or only what the text may do: no law can notice it.

Both texts are followed along all their paths from one arbitrary lawful state, with the same arguments.

* *The same*: both ask the same questions; with the same answers, whatever path of either is taken, the other has one that is taken
  too; and where both are, they leave the same entries in every table and return the same.
* *Allowed*: whatever path of the mutant is taken, the text has one that can be taken from there, with some answers, and does the
  same. What keeps every law of the text then keeps it of the mutant, which only does less: it may refuse where the text goes on, or
  be short of memory where the text may be. Where the text refuses, it may go on if it changes nothing and returns nothing. Runs
  notice if it never goes on (``vacuous``). That what is pending still ends is judged before (``judging``).

An operation that is interrupted is compared path by path, term by term.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.merging import NONE
from refmodel.engines.mutation.mutants import Mutant
from refmodel.engines.prover import Induction, Path
from refmodel.engines.questions import Solver
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.symbolic_tables import SymbolicPage
from refmodel.engines.terms import ANY, Term, sort_of
from refmodel.language.annotations import kind_of
from refmodel.language.asking import Fault, answering
from refmodel.language.changing import change
from refmodel.language.design import Design, Outline, outline
from refmodel.language.joining import joined
from refmodel.language.opaque import term_of

TIMEOUT = 10_000
"""Milliseconds that the solver may take for one question."""


@attrs.frozen
class _Way:
    """A path, and what it comes to: what every table holds at arbitrary names, and the outcome."""

    path: Path
    conditions: tuple[Term, ...]
    returns: Any
    leaves: tuple[Term, ...]
    idle: Term
    """That it changes nothing, and returns nothing."""


@attrs.frozen
class _Side:
    """A text of an operation."""

    design: Outline
    induction: Induction
    ways: tuple[_Way, ...]
    lookups: tuple[Any, ...]
    counts: tuple[Any, ...]


SAME, ALLOWED = "same", "allowed"


def likeness(cls: type[Design], mutant: Mutant, operations: Sequence[str]) -> str:
    """Whether with a mutant these operations do the same, or only what is allowed; otherwise nothing. The process is of no other
    use afterwards."""
    ours = [_side(outline(cls), name) for name in operations]
    change(mutant.function, mutant.text())
    mutant.function.__globals__.setdefault("NOTHING", -1)
    theirs = outline(cls)
    found = SAME
    for mine, name in zip(ours, operations, strict=True):
        alike = _alike(mine, _side(theirs, name))
        if not alike:
            return ""
        found = alike if alike == ALLOWED else found
    return found


def _side(design: Outline, name: str, merges: int = NONE) -> _Side:
    with joined(design):
        induction = Induction(design, design.operation(name), merges=merges)
        reading = Symbolic(design, prune=False)
        ways: list[_Way] = []
        lookups: list[Any] = []
        counts: list[Any] = []
        for path in induction.paths():
            lookups += path.lookups.values()
            counts += path.counts.values()
            if path.segments:
                ways.append(_way(design, path, reading))
        return _Side(design, induction, tuple(ways), (*lookups, *reading.lookups.values()), (*counts, *reading.counts.values()))


def _way(design: Outline, path: Path, reading: Symbolic) -> _Way:
    last = path.segments[-1]
    with answering(reading):
        before = _entries(design, path.segments[0].before, reading)
        leaves = [leaf for segment in path.segments for leaf in _entries(design, segment.after, reading)]
    idle = z3.And([z3.BoolVal(last.outcome is None), *(a == b for a, b in zip(before, leaves, strict=False))])
    returns = None if last.outcome is None else type(last.outcome)
    if returns is not None and not issubclass(returns, Fault):
        kind_returned = kind_of(returns)
        leaves += [
            v.array if isinstance(v, SymbolicPage) else term_of(reading, leaf, v)
            for (_, leaf), v in zip(kind_returned.leaves(), kind_returned.flatten(last.outcome), strict=True)
        ]
    return _Way(path, last.conditions, returns, tuple(leaves), idle)


def _entries(design: Outline, state: Any, reading: Symbolic) -> list[Term]:
    """What every table of a state holds at arbitrary names."""
    leaves: list[Term] = []
    for kind in design.tables:
        table = getattr(state, kind.name)
        table.reading = reading
        leaves += table.peek(tuple(z3.Const(f"{ANY}{sort_of(k)}.{i}", sort_of(k)) for i, k in enumerate(kind.keys)))
    return leaves


def _alike(mine: _Side, theirs: _Side) -> str:
    if _written(mine) == _written(theirs):
        return SAME
    if mine.induction.op.split or theirs.induction.op.split or any(map(_asks_after_a_reset, (mine, theirs))):
        return ALLOWED if _written(theirs) < _written(mine) else ""
    hypotheses = mine.induction.hypotheses("s")
    hypotheses.admit([*mine.lookups, *theirs.lookups], [*mine.counts, *theirs.counts])
    hypotheses.saturate()
    hypotheses.go_far()
    solver = Solver(*hypotheses.asserted, timeout=TIMEOUT)
    if _as_good(solver, mine, theirs) and _as_good(solver, theirs, mine):
        return SAME
    return ALLOWED if _within(solver, theirs, mine) else ""


def _as_good(solver: Solver, one: _Side, other: _Side) -> bool:
    """Where a path of the one is taken, a path of the other is, and each that is does the same."""
    for way in one.ways:
        beside = [w for w in other.ways if _same_answers(way, w)]
        differs = [z3.And(*w.conditions, _differ(way, w)) for w in beside]
        nowhere = z3.Not(z3.Or([z3.And(*w.conditions) for w in beside])) if beside else z3.BoolVal(True)
        if solver.check(*way.conditions, z3.Or(nowhere, *differs), says="both texts do the same") != z3.unsat:
            return False
    return True


def _within(solver: Solver, one: _Side, other: _Side) -> bool:
    """Where a path of the one is taken, a path of the other can be, and does the same; or none can be, and nothing is done."""
    refused = z3.Not(z3.Or([z3.BoolVal(False), *(z3.And(*w.conditions) for w in other.ways)]))
    for way in one.ways:
        matched = [z3.And(*w.conditions, z3.Not(_differ(way, w))) for w in other.ways]
        if (
            solver.check(
                *way.conditions,
                z3.Not(z3.Or(*matched, z3.And(refused, way.idle))),
                says="a text does what another may do, or nothing where the other refuses",
            )
            != z3.unsat
        ):
            return False
    return True


def _same_answers(one: _Way, other: _Way) -> bool:
    """Whether the same was asked, and nothing was answered yes here and no there."""
    return [a if isinstance(a, bool) else None for a in one.path.answers] == [
        a if isinstance(a, bool) else None for a in other.path.answers
    ]


def _differ(one: _Way, other: _Way) -> Term:
    if one.returns is not other.returns or len(one.leaves) != len(other.leaves):
        return z3.BoolVal(True)
    return z3.Or([z3.BoolVal(False), *(a != b for a, b in zip(one.leaves, other.leaves, strict=True) if not a.eq(b))])


def _asks_after_a_reset(side: _Side) -> bool:
    """Whether a count after a reset decides anything: it is a number that nobody says, by a name that the other text may mean
    something else by."""
    return any(re.search(r"\.reset\d", c.sexpr()) for w in side.ways for c in w.conditions)


def _written(side: _Side) -> set[tuple[Any, ...]]:
    return {
        (
            tuple(c.sexpr() for c in w.conditions),
            w.returns,
            tuple(t.sexpr() for t in w.leaves),
            tuple(a for a in w.path.answers if isinstance(a, bool)),
            tuple(len(s.conditions) for s in w.path.segments),
        )
        for w in side.ways
    }
