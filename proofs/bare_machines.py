"""The bare machines: what a VM does on one is its own business. (That monitored machines simulate them: ``designs``.)"""

from __future__ import annotations

from refmodel.bare import BareMemory
from refmodel.bare_machines import BARE_MACHINES
from refmodel.engines.own_entries import prove_own_entries
from refmodel.language import outline

MACHINES = {machine.__name__: machine for machine in BARE_MACHINES.values() if issubclass(machine, BareMemory)}
"""Those of which each VM has one to itself. (Paravirtual guests share the machine's frames, and know it.)"""


def an_instruction_of_the_bare_machine_touches_the_vm_s_own(name: str) -> None:
    """An instruction of a VM reads and changes only table entries of this VM. So the instruction's outcome depends only on these
    entries and on which cached translations the processor uses, and a VM learns nothing of what other VMs do."""
    machine = outline(MACHINES[name])
    done = [prove_own_entries(machine, op.name) for op in machine.operations if op.by_guest]
    assert [f"{each.operation}: {why}" for each in done for why in each.failing] == []
    assert all(each.paths and (each.read or each.changed) for each in done)
    assert {"bare_memory", "plugged"} <= {table for each in done for table in each.changed}
