"""What memory slots keep: memory lies in slots, and what is remembered of places without memory is so."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Gfn, Vcpu, Vm
from refmodel.monitor.memory_slots import MemorySlots, MmioRemembered
from refmodel.monitor.p2m import Backing


@law("RES-3", "Where no memory slot is, a VM has no memory, wherever that would be kept.")
def memory_lies_in_slots(s: MemorySlots, vm: Vm, gfn: Gfn) -> Any:
    return implies(not s.has_slot(vm, gfn), s.p2m[vm, gfn].backing == Backing.ABSENT)


@law("EQV-2", "An entry of the current generation that says that there is no memory slot is right.")
def remembered_mmio_is_in_no_slot(s: MemorySlots, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.says_mmio(vm, gfn), not s.has_slot(vm, gfn))


@law("EQV-2", "A look-up that began in the current generation, and found no memory slot, would find none now.")
def look_ups_of_the_generation_are_right(s: MemorySlots, vm: Vm, vcpu: Vcpu) -> Any:
    found = s.look_ups[vm, vcpu]
    return implies(found.under_way and found.generation == s.generation[vm], not s.has_slot(vm, found.gfn))


@law("EFF-2", "Where a look-up found no memory slot, and none has changed since, the next access there needs no look-up.")
def what_was_looked_up_is_remembered(s: MemorySlots, outcome: MmioRemembered) -> Any:
    return implies(outcome.generation == s.generation[outcome.vm], s.says_mmio(outcome.vm, outcome.gfn))
