"""Whether what a design says of another's tables (``@abstraction``) can be believed: it holds at power-on, and goes wrong in no
lawful state.
"""

from __future__ import annotations

import z3

from refmodel.engines.computed import Computed, computed
from refmodel.engines.connectives import negation
from refmodel.engines.hypotheses import FAR
from refmodel.engines.initially import odd_at_first
from refmodel.engines.prover import Induction
from refmodel.engines.questions import TIMEOUT, Solver, about
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.terms import ANY
from refmodel.language.abstraction import Abstraction
from refmodel.language.asking import answering
from refmodel.language.design import Outline
from refmodel.language.joining import joined


def doubts(design: Outline, other: Outline) -> list[str]:
    """What is not proved of the tables of the other design that this one says what they hold."""
    return [*odd_at_first(design, other), *_may_go_wrong(design, other)]


def _may_go_wrong(design: Outline, other: Outline) -> list[str]:
    with joined(design), about("what another's tables hold"):
        return [f"{each.place}: {why}" for each in computed(design, other).values() for why in _wrong(design, other, each)]


def _wrong(design: Outline, other: Outline, each: Abstraction) -> list[str]:
    """What has to hold while it is worked out, and is not proved of every lawful state: a key is there, no number is below zero."""
    induction, reading = Induction(design, design.operations[0]), Symbolic(design, prune=False)
    with answering(reading):
        state = reading.state(induction.base)
        table = Computed(reading, other.table(each.table), induction.base, state, each)
        names = [reading.arbitrary(kind, f"{ANY}{each.table}.{i}") for i, kind in enumerate(each.keys)]
        table.first(tuple(name.term for name in names))
    known = induction.hypotheses(induction.base)
    known.rounds = FAR
    known.admit([x for x in reading.lookups.values() if x.base == induction.base], list(reading.counts.values()))
    known.saturate()
    solver = Solver(*known.asserted, timeout=TIMEOUT)
    return list(
        dict.fromkeys(
            o.why
            for o in reading.obligations
            if solver.check(*o.conditions, negation(o.holds), says=f"{each.table} can be worked out") != z3.unsat
        )
    )


__all__ = ["doubts"]
