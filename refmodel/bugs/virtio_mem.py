"""Mutants of plugging and unplugging by block."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import PluggedBlocks
from refmodel.language import NOTHING, choose, guest, operation, require
from refmodel.machine.names import Gfn, Region, Vm
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.monitor.virtio_mem import BlockChanged, PlugState


class PluggedBeyondTheRequest(PluggedBlocks):
    """A guest plugs blocks beyond the requested size."""

    def may_plug(self, vm: Vm) -> bool:
        return True


class AnotherIsPlugged(PluggedBlocks):
    """A guest plugs one block, and the device plugs another block."""

    @guest
    def plug_block(self, vm: Vm, region: Region) -> BlockChanged:
        other: Region = choose(Region, lambda block: block != region)
        super().plug_block(vm, other)
        return BlockChanged(vm, region, PlugState.PLUGGED)


class UnpluggedInUse(PluggedBlocks):
    """A block is unplugged while it has memory."""

    def is_empty(self, vm: Vm, region: Region) -> bool:
        return True


class GivenForTheUnplugged(PluggedBlocks):
    """The monitor gives memory at a gfn in an unplugged block."""

    def may_come(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class GivenForTheLeaving(PluggedBlocks):
    """The monitor gives memory in a block that is being unplugged."""

    def may_come(self, vm: Vm, gfn: Gfn) -> bool:
        return self.block_of[gfn] == NOTHING or self.blocks[vm, self.block_of[gfn]] != PlugState.UNPLUGGED


class GivenUpAnywhere(PluggedBlocks):
    """A guest removes a page for good outside a block that is being unplugged."""

    @guest
    def give_up_page(self, vm: Vm, gfn: Gfn) -> None:
        require(self.has_memory(vm, gfn))
        self.forget_and_wait(vm, gfn)
        self.vacate(vm, gfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.ABSENT)
        self.unplug(vm, gfn)


class GivenUpButDerived(PluggedBlocks):
    """A page of a block is removed, and the MMU continues to use its frame."""

    @guest
    def give_up_page(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(self.blocks[vm, self.block_of[gfn]] == PlugState.LEAVING)
        require(entry.mapped)
        self.release(entry.mfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.ABSENT)
        self.unplug(vm, gfn)


class UnpluggedUncounted(PluggedBlocks):
    """A block is unplugged, and the device's plugged size does not change."""

    @guest
    def unplug_block(self, vm: Vm, region: Region) -> BlockChanged:
        require(self.blocks[vm, region] == PlugState.LEAVING)
        require(self.is_empty(vm, region))
        self.blocks[vm, region] = PlugState.UNPLUGGED
        return BlockChanged(vm, region, PlugState.UNPLUGGED)


class UnpluggedByTheMonitor(PluggedBlocks):
    """The monitor unplugs a block without the guest."""

    @operation
    def take_block(self, vm: Vm, region: Region) -> None:
        require(self.blocks[vm, region] == PlugState.PLUGGED)
        require(self.is_empty(vm, region))
        self.blocks[vm, region] = PlugState.UNPLUGGED
        self.device[vm] = attrs.evolve(self.device[vm], plugged=self.device[vm].plugged - 1)


MUTANTS = {
    "blocks-plugged-beyond-the-request": Mutant(PluggedBeyondTheRequest, "RES-4"),
    "blocks-unplugged-in-use": Mutant(UnpluggedInUse, "RES-3"),
    "blocks-given-for-the-unplugged": Mutant(GivenForTheUnplugged, "RES-3"),
    "blocks-given-for-the-leaving": Mutant(GivenForTheLeaving, "RES-3"),
    "blocks-given-up-anywhere": Mutant(GivenUpAnywhere, "RES-3"),
    "blocks-given-up-but-derived": Mutant(GivenUpButDerived, "ISO-1"),
    "blocks-unplugged-uncounted": Mutant(UnpluggedUncounted, "RES-1"),
    "blocks-unplugged-by-the-monitor": Mutant(UnpluggedByTheMonitor, "ISO-6"),
    "blocks-another-is-plugged": Mutant(AnotherIsPlugged, "RES-3"),
}
"""By name."""
