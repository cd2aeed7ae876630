"""Memory slots: the ranges of guest-physical memory, and the MMIO entries for addresses that are in no slot.

A VMM tells the monitor of a guest's memory in *slots*: rows of guest frames that it adds and deletes while the VM runs (KVM's
memslots, ``KVM_SET_USER_MEMORY_REGION``). Where no slot is, there is no memory, and an access is for a device that the VMM
emulates: memory-mapped I/O.

Such accesses are frequent, so that what a look-up has found is remembered. The entry of the MMU's table stays one that maps
nothing, and says that no slot is there, and the *generation* of the slots at that time (KVM's MMIO SPTEs). Each change of the slots
begins another generation. An entry of another generation says nothing, and the place is looked up again; so nobody has to find
these entries when a slot comes.

Two things go wrong easily. An entry has room for few generations, so that one comes again: before it does, what was remembered in
it has to go. And the slots may change while they are looked up: an entry has the generation in which the look-up began, since in
a later one the answer may be another.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Event, Reply, Seen
from refmodel.language import NOTHING, Total, choose, count, guest, operation, require, reset
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Generation, Gfn, Index, Region, Vcpu, Vm
from refmodel.monitor.p2m import Backing, P2m


@attrs.frozen
class MmioEntry:
    """An entry that maps nothing: whether it says that no slot is there, and of which generation that is."""

    valid: bool = False
    generation: Generation = NOTHING


@attrs.frozen
class SlotLookUp:
    """A look-up by a vCPU's exit that has found no slot, and has not been remembered yet; the generation in which it began."""

    gfn: Gfn = NOTHING
    generation: Generation = NOTHING

    @property
    def under_way(self) -> bool:
        return self.gfn != NOTHING


@attrs.frozen
class SlotChanged:
    """A memory slot came or went, and whether it is there now."""

    shown: ClassVar[None] = None
    """The guest is shown nothing: it learns what memory it has from its firmware."""

    vm: Vm
    region: Region
    added: bool


@attrs.frozen
class MmioRemembered:
    """What a look-up found was remembered for a place; the generation in which the look-up began."""

    shown: ClassVar[None] = None
    """The guest is shown nothing but time."""

    vm: Vm
    gfn: Gfn
    generation: Generation


class MemorySlots(P2m):
    slot_of: Total[Gfn, Region]
    """The row of guest frames that a page is one of: nothing writes to it. A slot is such a row."""
    memory_slots: Total[tuple[Vm, Region], bool]
    generation: Total[Vm, Generation]
    """Of a VM's slots."""
    mmio_entries: Total[tuple[Vm, Gfn], MmioEntry]
    look_ups: Total[tuple[Vm, Vcpu], SlotLookUp]

    arbitrary: ClassVar[tuple[str, ...]] = ("slot_of",)
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"touch_mmio": ("load_physical",), "eject_page": ("lose_page",)}

    # ------------------------------------------------------------ slots come and go

    @operation
    def add_slot(self, vm: Vm, region: Region) -> SlotChanged:
        """From now on there may be memory there."""
        require(not self.memory_slots[vm, region])
        self.memory_slots[vm, region] = True
        self.begin_generation(vm)
        return SlotChanged(vm, region, added=True)

    @guest
    def eject_page(self, vm: Vm, gfn: Gfn) -> None:
        """The guest gives up a page of a slot that is to be deleted."""
        require(self.has_slot(vm, gfn))
        self.unplug_page(vm, gfn)

    @operation
    def delete_slot(self, vm: Vm, region: Region) -> SlotChanged:
        """A slot in which there is no memory any more is deleted."""
        require(self.memory_slots[vm, region])
        require(self.is_unused(vm, region))
        self.memory_slots[vm, region] = False
        self.begin_generation(vm)
        return SlotChanged(vm, region, added=False)

    def is_unused(self, vm: Vm, region: Region) -> bool:
        """Whether no page of a slot is backed by anything."""
        return (
            count(
                self.p2m, lambda entry, owner, gfn: owner == vm and self.slot_of[gfn] == region and entry.backing != Backing.ABSENT
            )
            == 0
        )

    def begin_generation(self, vm: Vm) -> None:
        """What was remembered of the slots as they were says nothing any more."""
        following: Generation = choose(Generation, lambda each: each != self.generation[vm])
        self.forget_generation(vm, following)
        self.generation[vm] = following

    def forget_generation(self, vm: Vm, generation: Generation) -> None:
        """A generation is to come again: nothing has been remembered in it, and no look-up began in it that is not done."""
        reset(self.mmio_entries, lambda entry, of, gfn: of == vm and entry.generation == generation)
        reset(self.look_ups, lambda each, of, vcpu: of == vm and each.generation == generation)

    def has_slot(self, vm: Vm, gfn: Gfn) -> bool:
        return self.slot_of[gfn] != NOTHING and self.memory_slots[vm, self.slot_of[gfn]]

    def may_come(self, vm: Vm, gfn: Gfn) -> bool:
        return self.has_slot(vm, gfn) and super().may_come(vm, gfn)

    # ------------------------------------------------------------ where there is none

    @operation
    def look_slot_up(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> None:
        """An exit, for a place where the MMU has no mapping: no slot is there."""
        require(not self.has_slot(vm, gfn))
        self.look_ups[vm, vcpu] = SlotLookUp(gfn, self.generation[vm])

    @operation
    def remember_mmio(self, vm: Vm, vcpu: Vcpu) -> MmioRemembered:
        """The exit ends: what was found is remembered for the next access there."""
        found = self.look_ups[vm, vcpu]
        require(found.under_way)
        self.look_ups[vm, vcpu] = SlotLookUp()
        self.mmio_entries[vm, found.gfn] = MmioEntry(True, self.generation_of(vm, found))
        return MmioRemembered(vm, found.gfn, found.generation)

    def generation_of(self, vm: Vm, found: SlotLookUp) -> Generation:
        """The generation of what a look-up has found."""
        return found.generation

    def says_mmio(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether it is remembered that no slot is there, and nothing has changed since."""
        entry = self.mmio_entries[vm, gfn]
        return entry.valid and entry.generation == self.generation[vm]

    @guest
    def touch_mmio(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        """The guest touches a place, and it is remembered that there is no memory: that is all that the monitor looks at."""
        require(self.says_mmio(vm, gfn))
        return Seen(Reply(Event.HOLE), self.bare_physical(vm, gfn, offset, Access.READ, Cell()), gfn)
