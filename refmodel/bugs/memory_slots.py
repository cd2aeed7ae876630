"""Mutants of memory slots, and of what is remembered of places without memory."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import SlottedMemory
from refmodel.geometries import EMPTY
from refmodel.language import NOTHING, count, geometry, guest, operation, require, reset
from refmodel.machine.names import Generation, Gfn, Region, Vcpu, Vm
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.ept_sizes import EptSizesMmu
from refmodel.monitor.memory_slots import MemorySlots, MmioRemembered, SlotChanged, SlotLookUp
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.monitor.sharing import Sharing
from refmodel.monitor.swapping import Swapping
from refmodel.points import over


class MmioOutlivesAddedSlot(SlottedMemory):
    """A memory slot is added, and the slot generation does not change."""

    @operation
    def add_slot(self, vm: Vm, region: Region) -> SlotChanged:
        require(not self.memory_slots[vm, region])
        self.memory_slots[vm, region] = True
        return SlotChanged(vm, region, added=True)


class GenerationComesAgain(SlottedMemory):
    """A slot generation number is reused, and MMIO entries of its last use are still present."""

    def forget_generation(self, vm: Vm, generation: Generation) -> None:
        reset(self.look_ups, lambda each, of, vcpu: of == vm and each.generation == generation)


class LookUpFromLongAgo(SlottedMemory):
    """A slot generation number is reused while a lookup of its last use is still in progress."""

    def forget_generation(self, vm: Vm, generation: Generation) -> None:
        reset(self.mmio_entries, lambda entry, of, gfn: of == vm and entry.generation == generation)


class GenerationNotAsked(SlottedMemory):
    """An MMIO entry is used whatever its slot generation."""

    def says_mmio(self, vm: Vm, gfn: Gfn) -> bool:
        return self.mmio_entries[vm, gfn].valid


class MemoryOutsideSlots(SlottedMemory):
    """The monitor gives a VM memory at a gfn that is in no memory slot."""

    def may_come(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class SlotDeletedInUse(SlottedMemory):
    """A memory slot is deleted while it has memory."""

    def is_unused(self, vm: Vm, region: Region) -> bool:
        return True


class SlotDeletedInName(SlottedMemory):
    """A memory slot is reported as deleted, and is still present."""

    @operation
    def delete_slot(self, vm: Vm, region: Region) -> SlotChanged:
        require(self.memory_slots[vm, region])
        require(self.is_unused(vm, region))
        self.begin_generation(vm)
        return SlotChanged(vm, region, added=False)


class LookUpOfNoGeneration(SlottedMemory):
    """A lookup begins without recording the slot generation, so that its result is never used."""

    @operation
    def look_slot_up(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> None:
        require(not self.has_slot(vm, gfn))
        self.look_ups[vm, vcpu] = SlotLookUp(gfn)


class NothingRemembered(SlottedMemory):
    """The result of a lookup is never recorded, so that each access needs another lookup."""

    @operation
    def remember_mmio(self, vm: Vm, vcpu: Vcpu) -> MmioRemembered:
        found = self.look_ups[vm, vcpu]
        require(found.under_way)
        self.look_ups[vm, vcpu] = SlotLookUp()
        return MmioRemembered(vm, found.gfn, found.generation)


class SwappedPageIsADevice(SlottedMemory):
    """A gfn whose page is in no frame counts as a gfn without a memory slot, although the page may be on swap."""

    @operation
    def look_slot_up(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].mfn == NOTHING)
        self.look_ups[vm, vcpu] = SlotLookUp(gfn, self.generation[vm])


class BalloonIsADevice(SlottedMemory):
    """A page in the balloon counts as a gfn without a memory slot, and still counts so after the guest takes it back."""

    @operation
    def look_slot_up(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> None:
        require(not self.has_slot(vm, gfn) or self.p2m[vm, gfn].backing == Backing.BALLOONED)
        self.look_ups[vm, vcpu] = SlotLookUp(gfn, self.generation[vm])


class SlotDeletedOverACopy(MemorySlots, Swapping, EptMmu):
    """A memory slot is deleted if none of its pages is in a frame, although pages may be on swap or being read."""

    geometry = geometry(Vm=1, Vcpu=1, Gfn=1, Region=1, Generation=2, Mfn=2, Slot=1, Index=1, only=EMPTY)

    def is_unused(self, vm: Vm, region: Region) -> bool:
        return count(self.p2m, lambda entry, owner, gfn: owner == vm and self.slot_of[gfn] == region and entry.resident) == 0


class EjectedUnderALargeEntry(MemorySlots, Sharing, EptSizesMmu):
    """A page is removed with its memory slot, and a large entry that maps the page stays."""

    geometry = over("ept 4K/2M", ("memory-slots", "sharing")).geometry

    @guest
    def eject_page(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(self.has_slot(vm, gfn) and entry.mapped)
        self.release(entry.mfn)
        self.p2m[vm, gfn] = P2mEntry()
        self.unplug(vm, gfn)


MUTANTS = {
    "mmio-outlives-added-slot": Mutant(MmioOutlivesAddedSlot, "EQV-2"),
    "mmio-generation-comes-again": Mutant(GenerationComesAgain, "EQV-2"),
    "mmio-look-up-from-long-ago": Mutant(LookUpFromLongAgo, "EQV-2"),
    "mmio-generation-not-asked": Mutant(GenerationNotAsked, "EQV-2"),
    "mmio-nothing-remembered": Mutant(NothingRemembered, "EFF-2"),
    "mmio-for-a-swapped-page": Mutant(SwappedPageIsADevice, "EQV-2"),
    "mmio-for-a-balloon": Mutant(BalloonIsADevice, "EQV-2"),
    "slots-memory-outside": Mutant(MemoryOutsideSlots, "RES-3"),
    "mmio-look-up-of-no-generation": Mutant(LookUpOfNoGeneration, "EFF-2"),
    "slots-deleted-in-name": Mutant(SlotDeletedInName, "RES-3"),
    "slots-deleted-in-use": Mutant(SlotDeletedInUse, "RES-3"),
    "slots-deleted-over-a-copy": Mutant(SlotDeletedOverACopy, "RES-3"),
    "slots-ejected-under-a-large-entry": Mutant(EjectedUnderALargeEntry, "ISO-1"),
}
"""By name."""
