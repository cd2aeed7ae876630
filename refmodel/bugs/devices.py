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
    """A page that a device only reads is pinned in a shared frame."""

    def supplied_for_writing(self, write: bool) -> bool:
        return write


class IotlbUnflushed(AssignedDevices):
    """A page is unpinned while the IOTLB still has the page cached."""

    def invalidate_iotlb(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class HeldByNobody(AssignedDevices):
    """Pages that devices access are not pinned, and are merged or sent like other pages."""

    def held(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class UnmappedInName(AssignedDevices):
    """A page is recorded as unmapped, and the IOMMU still has its entry."""

    def unmap(self, vm: Vm, gfn: Gfn) -> LetGo:
        entry = self.iommu[vm, gfn]
        done = super().unmap(vm, gfn)
        self.iommu[vm, gfn] = DmaMapping(True, entry.mfn, entry.writable)
        return done


class NeverUnmapped(AssignedDevices):
    """Pages that are mapped for a device can never be unmapped."""

    def may_unmap(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class UnmappedIsGone(AssignedDevices):
    """Unmapping a page from the IOMMU already counts as unpinning the page."""

    def unmap(self, vm: Vm, gfn: Gfn) -> LetGo:
        super().unmap(vm, gfn)
        return LetGo(vm, gfn, flushed=True)


class DmaShortageIsAHole(AssignedDevices):
    """When no frame is free, a device gets a missing-memory error."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        found = super().supply(vm, gfn, write)
        return Supply.HOLE if found == Supply.LATER else found


class FlushedWhileMapped(AssignedDevices):
    """An IOTLB flush unpins pages that are still mapped."""

    def may_flush(self, vm: Vm, gfn: Gfn) -> bool:
        return self.holds[vm, gfn] != Hold.FREE


class RightsTakenForOne(AssignedDevices):
    """A device's store succeeds through a read-only entry."""

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        if not (self.iotlb[vm, gfn].present and cached("IOTLB entry")):
            require(self.iommu[vm, gfn].present)
            self.iotlb[vm, gfn] = self.iommu[vm, gfn]
        if access == Access.WRITE:
            self.behind(vm, gfn, offset)
        shown = self.touch(self.iotlb[vm, gfn].mfn, offset, access, value)
        return DeviceAccess(shown, self.bare_physical(vm, gfn, offset, access, value), gfn, access == Access.WRITE)


class WritableFromNowOn(AssignedDevices):
    """The monitor lets a device store to a page that the guest mapped for reading only."""

    @operation
    def upgrade(self, vm: Vm, gfn: Gfn) -> None:
        require(self.iommu[vm, gfn].present and not self.iotlb[vm, gfn].present)
        self.iommu[vm, gfn] = attrs.evolve(self.iommu[vm, gfn], writable=True)


class CachedWritable(AssignedDevices):
    """The IOTLB lets a device store to a page that is read-only in the IOMMU."""

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        done = super().dma(vm, gfn, offset, access, value)
        self.iotlb[vm, gfn] = attrs.evolve(self.iotlb[vm, gfn], writable=True)
        return done


class HandedBesides(AssignedDevices):
    """A guest maps a page for its device, and a second page is mapped too."""

    @guest
    def hand_to_device(self, vm: Vm, gfn: Gfn, write: bool) -> Handed:
        other: Gfn = choose(Gfn, lambda each: each != gfn)
        super().hand_to_device(vm, other, write)
        return super().hand_to_device(vm, gfn, write)


class AllAreTaken(AssignedDevices):
    """The monitor takes one page back from a device, and the device loses every page of the VM."""

    def unmap(self, vm: Vm, gfn: Gfn) -> LetGo:
        require(self.may_unmap(vm, gfn))
        reset(self.iommu, lambda entry, of, page: of == vm)
        assign(self.holds, lambda hold, of, page: of == vm and hold == Hold.MAPPED, Hold.UNMAPPED)
        return LetGo(vm, gfn, flushed=False)


class DeviceReadsZeroes(AssignedDevices):
    """Every load of a device shows zero."""

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        return attrs.evolve(super().dma(vm, gfn, offset, access, value), shown=Reply(Event.COMPLETED))


class DeviceFindsNothing(AssignedDevices):
    """A device gets a missing-memory error for a page that the guest has."""

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
