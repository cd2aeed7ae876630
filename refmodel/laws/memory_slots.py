"""What memory slots keep: memory lies in slots, and what is remembered of places without memory is so."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Gfn, Region, Vcpu, Vm
from refmodel.monitor.memory_slots import MemorySlots, MmioRemembered, SlotChanged
from refmodel.monitor.p2m import Backing


@law("RES-3", "Where no memory slot is, a VM has no memory, wherever that would be kept.")
def memory_lies_in_slots(s: MemorySlots, vm: Vm, gfn: Gfn) -> Any:
    return implies(not s.has_slot(vm, gfn), s.p2m[vm, gfn].backing == Backing.ABSENT)


@law("RES-3", "A slot that is added was not there before, one that is deleted was, and a VM's other slots stay as they are.")
def slots_come_and_go_as_asked(s: MemorySlots, before: MemorySlots, outcome: SlotChanged, region: Region) -> Any:
    was, there = before.memory_slots[outcome.vm, region], s.memory_slots[outcome.vm, region]
    return (implies(region == outcome.region, there == outcome.added and was != outcome.added)
            and implies(region != outcome.region, there == was))


@law("EFF-2", "A look-up that begins is of the current generation.")
def look_ups_begin_in_the_generation(s: MemorySlots, before: MemorySlots, vm: Vm, vcpu: Vcpu) -> Any:
    began = s.look_ups[vm, vcpu].under_way and s.look_ups[vm, vcpu] != before.look_ups[vm, vcpu]
    return implies(began, s.look_ups[vm, vcpu].generation == s.generation[vm])


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
