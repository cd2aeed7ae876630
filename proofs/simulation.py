"""The virtual machine is the machine: Popek and Goldberg's homomorphism (CACM 1974), of each design, for any number of names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proofs.designs import DESIGNS
from refmodel.bare_machines import BARE_MACHINES, bare_machine
from refmodel.engines.formulas import Formula
from refmodel.engines.own_entries import prove_own_entries
from refmodel.engines.simulation import Simulated, prove_simulated
from refmodel.language import outline

SIMULATED = tuple(name for name, cls in DESIGNS.items() if bare_machine(cls) is not None and name != "ZapToProtect")
"""The designs whose guests believe in a bare machine that is stated."""
MACHINES = {machine.__name__: machine for machine in BARE_MACHINES.values()}


def by_operation(name: str) -> dict[str, Callable[[], Simulated]]:
    """The proofs of each operation that make up the theorem below."""
    design = outline(DESIGNS[name])
    known: dict[str, Sequence[Formula]] = {}
    return {op.name: lambda op=op: _simulated(name, op.name, known) for op in design.operations}  # type: ignore[misc]


def each_step_is_one_of_the_bare_machine(name: str) -> None:
    """From any lawful state each step of the monitored machine is a step of the bare machine, which shows the guest the same; or it
    is an exit, or the monitor's own, and neither changes nor shows anything that the bare machine has.

    The monitor's steps that do more are those that a guest asks for, or memory that it is given: ``steps`` in the text says which.
    What a processor may do by itself, with what it has cached, it may do at any time.
    """
    done = [run() for run in by_operation(name).values()]
    assert [why for each in done for why in each.failing] == []
    shown = {op.name for op in outline(DESIGNS[name]).operations if op.by_guest and getattr(op.returns, "shown", None)}
    idle = {each.operation for each in done if each.steps and not each.explained} & shown
    assert not idle, f"no step of {idle} is one of the bare machine's: of them nothing is said"


def _simulated(name: str, operation: str, known: dict[str, Sequence[Formula]]) -> Simulated:
    design = outline(DESIGNS[name])
    machine = bare_machine(design.cls)
    assert machine is not None
    return prove_simulated(design, outline(machine), operation, known)


def an_instruction_of_the_bare_machine_touches_the_vm_s_own(name: str) -> None:
    """Whatever a VM does reads and changes entries under its own name only. So what it is shown depends on these, and on what the
    processor chooses to use of what it has cached; and no VM can tell what another does."""
    machine = outline(MACHINES[name])
    done = [prove_own_entries(machine, op.name) for op in machine.operations if op.by_guest]
    assert [f"{each.operation}: {why}" for each in done for why in each.failing] == []
    assert all(each.paths and (each.read or each.changed) for each in done)
    assert {"bare_memory", "plugged"} <= {table for each in done for table in each.changed}
