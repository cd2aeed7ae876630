"""What memory slots keep: memory lies in slots, and what is remembered of places without memory is so."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Gfn, Region, Vcpu, Vm
from refmodel.monitor.memory_slots import MemorySlots, MmioRemembered, SlotChanged
from refmodel.monitor.p2m import Backing


@law("RES-3", "A VM has no memory at a gfn that is in no memory slot.")
def memory_lies_in_slots(s: MemorySlots, vm: Vm, gfn: Gfn) -> Any:
    return implies(not s.has_slot(vm, gfn), s.p2m[vm, gfn].backing == Backing.ABSENT)


@law("RES-3", "A memory slot that is added was absent, a slot that is deleted was present, and no other slot of the VM changes.")
def slots_come_and_go_as_asked(s: MemorySlots, before: MemorySlots, outcome: SlotChanged, region: Region) -> Any:
    was, there = before.memory_slots[outcome.vm, region], s.memory_slots[outcome.vm, region]
    return implies(region == outcome.region, there == outcome.added and was != outcome.added) and implies(
        region != outcome.region, there == was
    )


@law("EFF-2", "A memory-slot lookup starts with the VM's current slot generation.")
def look_ups_begin_in_the_generation(s: MemorySlots, before: MemorySlots, vm: Vm, vcpu: Vcpu) -> Any:
    began = s.look_ups[vm, vcpu].under_way and s.look_ups[vm, vcpu] != before.look_ups[vm, vcpu]
    return implies(began, s.look_ups[vm, vcpu].generation == s.generation[vm])


@law("EQV-2", "An MMIO entry of the current slot generation is for a gfn that is in no memory slot.")
def remembered_mmio_is_in_no_slot(s: MemorySlots, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.says_mmio(vm, gfn), not s.has_slot(vm, gfn))


@law("EQV-2", "If a lookup of the current slot generation found no memory slot for a gfn, the gfn is still in no slot.")
def look_ups_of_the_generation_are_right(s: MemorySlots, vm: Vm, vcpu: Vcpu) -> Any:
    found = s.look_ups[vm, vcpu]
    return implies(found.under_way and found.generation == s.generation[vm], not s.has_slot(vm, found.gfn))


@law("EFF-2", "If no slot changed since a lookup found no memory slot, an MMIO entry records the result for the next access.")
def what_was_looked_up_is_remembered(s: MemorySlots, outcome: MmioRemembered) -> Any:
    return implies(outcome.generation == s.generation[outcome.vm], s.says_mmio(outcome.vm, outcome.gfn))
