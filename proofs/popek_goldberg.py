"""Popek and Goldberg's three theorems, for an arbitrary instruction.

The instruction is any function whatever of mode, place and view. That a class holds of it at *all* states is used at the states
that a step speaks of, and nowhere else, so that what is shown follows from the class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import z3

from proofs.walking import Refuted
from refmodel.engines.functions import explore
from refmodel.engines.questions import Solver
from refmodel.engines.symbolic import Symbolic
from refmodel.language.kinds import FlagKind, NaturalKind
from refmodel.language.opaque import opaque, term_of
from refmodel.machine import popek_goldberg as pg
from refmodel.machine.popek_goldberg import Effect, Instruction, MachineState

FLAG, NUMBER = FlagKind(), NaturalKind()
TEXTS = (
    pg.user,
    pg.supervisor,
    pg.privileged_at,
    pg.keeps_control_at,
    pg.behaves_alike_at,
    pg.innocuous_at,
    pg.trapped,
    pg.bare_step,
    pg.moved,
    pg.monitored_step,
    pg.hybrid_step,
    pg.recursive_step,
)


@attrs.frozen
class Anything:
    """An arbitrary instruction, machine and monitor."""

    reading: Symbolic

    def number(self, name: str) -> Any:
        return opaque(self.reading, NUMBER, z3.Int(name))

    def flag(self, name: str) -> Any:
        return opaque(self.reading, FLAG, z3.Bool(name))

    def state(self, name: str) -> MachineState:
        return MachineState(self.flag(f"{name}.supervisor"), self.number(f"{name}.place"), self.number(f"{name}.view"))

    def instruction(self) -> Instruction:
        """A function symbol for each thing that an instruction does."""
        given = (z3.BoolSort(), z3.IntSort(), z3.IntSort())
        traps, mode = (z3.Function(n, *given, z3.BoolSort()) for n in ("traps", "supervisor"))
        place, view = (z3.Function(n, *given, z3.IntSort()) for n in ("place", "view"))

        def does(s: MachineState) -> Effect:
            at = [term_of(self.reading, kind, v) for kind, v in ((FLAG, s.supervisor), (NUMBER, s.place), (NUMBER, s.view))]

            def value(kind: Any, symbol: Any) -> Any:
                return opaque(self.reading, kind, symbol(*at))

            return Effect(value(FLAG, traps), MachineState(value(FLAG, mode), value(NUMBER, place), value(NUMBER, view)))

        return does


def in_the_class(i: Instruction, virtual: MachineState, real: MachineState) -> Any:
    """Theorem 1's condition, where a guest's step needs it: the instruction is privileged, or it is not sensitive, neither to the
    place nor to the mode."""
    between = MachineState(virtual.supervisor, real.place, real.view)
    return pg.privileged_at(i, real) or (pg.innocuous_at(i, virtual, between) and pg.innocuous_at(i, between, real))


def _same(a: MachineState, b: MachineState) -> Any:
    return a.supervisor == b.supervisor and a.place == b.place and a.view == b.view


def _prove(claim: Callable[[Anything, Instruction, MachineState], tuple[Any, Any]], needs_class: bool = True) -> None:
    """That under what a claim assumes the two states that it gives are the same, on every path; and that what it assumes can be."""
    reading = Symbolic(None, prune=False)
    anything = Anything(reading)
    i, virtual = anything.instruction(), anything.state("virtual")
    possible = False
    paths = list(explore(reading, lambda: claim(anything, i, virtual), (*TEXTS, in_the_class, _same)))
    for path in paths:
        assumed, same = (term_of(reading, FLAG, v) for v in path.result)
        solver = Solver(*path.conditions, *([assumed] if needs_class else []), simple=False)
        possible |= solver.check(says="what is assumed cannot be") == z3.sat
        solver.add(z3.Not(same))
        answer = solver.check(says="both steps lead to the same state")
        if answer != z3.unsat:
            raise Refuted(f"an instruction and a state for which it does not hold ({answer}): {solver.model()}")
    assert possible, "nothing satisfies what is assumed: the theorem would say nothing"


def _monitored(anything: Anything, i: Instruction, virtual: MachineState) -> tuple[Any, Any]:
    offset, handler = anything.number("offset"), anything.state("handler")
    return (
        in_the_class(i, virtual, pg.moved(virtual, offset)),
        _same(pg.monitored_step(i, virtual, offset, handler), pg.bare_step(i, virtual, handler)),
    )


def _recursive(anything: Anything, i: Instruction, virtual: MachineState) -> tuple[Any, Any]:
    inner, outer, handler = anything.number("inner"), anything.number("outer"), anything.state("handler")
    middle = pg.moved(virtual, inner)
    assumed = in_the_class(i, virtual, middle) and in_the_class(i, middle, pg.moved(middle, outer))
    return assumed, _same(pg.recursive_step(i, virtual, inner, outer, handler), pg.bare_step(i, virtual, handler))


def _hybrid(anything: Anything, i: Instruction, virtual: MachineState) -> tuple[Any, Any]:
    offset, handler = anything.number("offset"), anything.state("handler")
    in_user_mode = pg.user(virtual)  # the condition is asked of user mode only
    return (
        in_the_class(i, in_user_mode, pg.moved(in_user_mode, offset)),
        _same(pg.hybrid_step(i, virtual, offset, handler), pg.bare_step(i, virtual, handler)),
    )


def a_monitor_may_be_constructed() -> None:
    """Theorem 1: if the sensitive instructions are privileged, the machine under a monitor and the bare machine take the same
    step."""
    _prove(_monitored)


def a_machine_is_recursively_virtualizable() -> None:
    """Theorem 2: if the sensitive instructions are privileged, a machine under a monitor that runs under another monitor takes the
    same step as the bare machine."""
    _prove(_recursive)


def a_hybrid_monitor_may_be_constructed() -> None:
    """Theorem 3: a hybrid monitor interprets the guest's supervisor mode. It needs only those instructions to be privileged that
    are sensitive in user mode."""
    _prove(_hybrid)


def without_the_condition_there_is_a_counterexample() -> None:
    """For each theorem there is an instruction that is sensitive and does not trap, with which the theorem is false."""
    for claim in (_monitored, _recursive, _hybrid):
        try:
            _prove(claim, needs_class=False)
        except Refuted:
            continue
        raise AssertionError(f"{claim.__name__} holds without its condition")
