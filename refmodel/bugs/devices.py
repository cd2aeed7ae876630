"""Mutants of devices that guests drive themselves."""

from refmodel.designs import AssignedDevices
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.devices import DmaMapping, Hold, LetGo
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
