"""Mutants of devices that guests drive themselves."""

import attrs

from refmodel.bare import Event, Reply
from refmodel.bugs.mutant import Mutant
from refmodel.designs import AssignedDevices
from refmodel.language import assign, cached, choose, guest, operation, require, reset
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.monitor.devices import DeviceAccess, DmaMapping, Handed, Hold, LetGo
from refmodel.monitor.p2m import Supply


class HeldWhileShared(AssignedDevices):
    """A page that a device only reads is left where it is shared."""

    def supplied_for_writing(self, write: bool) -> bool:
        return write


class IotlbUnflushed(AssignedDevices):
    """A page is let go, and the IOTLB has it still."""

    def invalidate_iotlb(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class HeldByNobody(AssignedDevices):
    """Pages that devices reach are merged and sent like any other."""

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class UnmappedInName(AssignedDevices):
    """A page counts as unmapped, and the IOMMU has its entry still."""

    def unmap(self, vm: Vm, gfn: Gfn) -> LetGo:
        entry = self.iommu[vm, gfn]
        done = super().unmap(vm, gfn)
        self.iommu[vm, gfn] = DmaMapping(True, entry.mfn, entry.writable)
        return done


class NeverUnmapped(AssignedDevices):
    """What a device has it keeps."""

    def may_unmap(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class UnmappedIsGone(AssignedDevices):
    """To unmap a page is taken for letting it go."""

    def unmap(self, vm: Vm, gfn: Gfn) -> LetGo:
        super().unmap(vm, gfn)
        return LetGo(vm, gfn, flushed=True)


class DmaShortageIsAHole(AssignedDevices):
    """When no frame can be had, a device is told that there is no memory."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        found = super().supply(vm, gfn, write)
        return Supply.HOLE if found == Supply.LATER else found


class FlushedWhileMapped(AssignedDevices):
    """An IOTLB that is flushed lets go of pages that are mapped."""

    def may_flush(self, vm: Vm, gfn: Gfn) -> bool:
        return self.holds[vm, gfn] != Hold.FREE


class RightsTakenForOne(AssignedDevices):
    """A device's store goes through an entry that lets it read only."""

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        if not (self.iotlb[vm, gfn].present and cached("IOTLB entry")):
            require(self.iommu[vm, gfn].present)
            self.iotlb[vm, gfn] = self.iommu[vm, gfn]
        if access == Access.WRITE:
            self.behind(vm, gfn, offset)
        shown = self.touch(self.iotlb[vm, gfn].mfn, offset, access, value)
        return DeviceAccess(shown, self.bare_physical(vm, gfn, offset, access, value), gfn, access == Access.WRITE)


class WritableFromNowOn(AssignedDevices):
    """The monitor lets a device store to a page that its guest has given it for reading."""

    @operation
    def upgrade(self, vm: Vm, gfn: Gfn) -> None:
        require(self.iommu[vm, gfn].present and not self.iotlb[vm, gfn].present)
        self.iommu[vm, gfn] = attrs.evolve(self.iommu[vm, gfn], writable=True)


class CachedWritable(AssignedDevices):
    """The IOTLB lets a device store to what the IOMMU's entry lets it read only."""

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        done = super().dma(vm, gfn, offset, access, value)
        self.iotlb[vm, gfn] = attrs.evolve(self.iotlb[vm, gfn], writable=True)
        return done


class HandedBesides(AssignedDevices):
    """A guest hands a page to its device, and the device gets another one that is no device's too."""

    @guest
    def hand_to_device(self, vm: Vm, gfn: Gfn, write: bool) -> Handed:
        other: Gfn = choose(Gfn, lambda each: each != gfn)
        super().hand_to_device(vm, other, write)
        return super().hand_to_device(vm, gfn, write)


class AllAreTaken(AssignedDevices):
    """One page is taken from a device, and the device loses all pages of the VM."""

    def unmap(self, vm: Vm, gfn: Gfn) -> LetGo:
        require(self.may_unmap(vm, gfn))
        reset(self.iommu, lambda entry, of, page: of == vm)
        assign(self.holds, lambda hold, of, page: of == vm and hold == Hold.MAPPED, Hold.UNMAPPED)
        return LetGo(vm, gfn, flushed=False)


class DeviceReadsZeroes(AssignedDevices):
    """Whatever a device reads is zero."""

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        return attrs.evolve(super().dma(vm, gfn, offset, access, value), shown=Reply(Event.COMPLETED))


class DeviceFindsNothing(AssignedDevices):
    """A device is told that there is no memory where its guest has some."""

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        return attrs.evolve(super().dma(vm, gfn, offset, access, value), shown=Reply(Event.HOLE))


MUTANTS = {
    "dma-held-while-shared": Mutant(HeldWhileShared, "ISO-2"),
    "dma-iotlb-unflushed": Mutant(IotlbUnflushed, "ISO-1"),
    "dma-held-by-nobody": Mutant(HeldByNobody, "ISO-1"),
    "dma-stored-by-a-read-only-entry": Mutant(RightsTakenForOne, "ISO-1"),
    "dma-writable-from-now-on": Mutant(WritableFromNowOn, "ISO-1"),
    "dma-cached-writable": Mutant(CachedWritable, "ISO-1"),
    "dma-handed-besides": Mutant(HandedBesides, "ISO-1"),
    "dma-all-are-taken": Mutant(AllAreTaken, "RES-3"),
    "dma-zeroes-read": Mutant(DeviceReadsZeroes, "EQV-1"),
    "dma-finds-nothing": Mutant(DeviceFindsNothing, "EQV-2"),
    "dma-unmapped-in-name": Mutant(UnmappedInName, "RES-1"),
    "dma-never-unmapped": Mutant(NeverUnmapped, "RES-3"),
    "dma-unmapped-is-gone": Mutant(UnmappedIsGone, "RES-3"),
    "dma-shortage-is-a-hole": Mutant(DmaShortageIsAHole, "EQV-2"),
    "dma-flushed-while-mapped": Mutant(FlushedWhileMapped, "ISO-1"),
}
"""By name."""
