"""A step on ints from states that a prover found: of an operation that others interrupt, each part from a state of its own.

What others do between two parts is not run. The state in which the operation goes on says what has come of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refmodel.engines.machine import Machine, Step, copy_of, recorded
from refmodel.language.design import Operation

Tables = Mapping[str, Mapping[Any, Any]]
"""The entries of a state, by table."""


def put(machine: Machine, tables: Tables) -> None:
    """Have the machine be in this state, whatever waits to go on in it."""
    for name, entries in tables.items():
        table = getattr(machine.state, name)
        dict.clear(table)
        dict.update(table, entries)
        table.changed = False
    machine.before = copy_of(machine.design, machine.state)


def take(
    machine: Machine, op: Operation, arguments: tuple[Any, ...], answers: Sequence[Any], states: Sequence[Tables]
) -> tuple[Step, Any] | None:
    """Take an operation, each part from the next of these states: the step with all its answers, and the outcome of the last part.
    None if a part does not apply, or if the operation ends before the last."""
    pick, answered, outcome = recorded(answers), tuple[Any, ...](), None
    for number, tables in enumerate(states):
        put(machine, tables)
        if number and not machine.pending:
            return None
        taken = machine.attempt(op, arguments, pick) if not number else machine.attempt(machine.resuming, (0,), pick)
        if taken is None:
            return None
        answered, outcome = answered + taken[0].answers, taken[1]
    return Step(op.name, arguments, answered), outcome
