"""XSA-449, CVE-2023-46839: a device's phantom functions got the IOMMU context of another VM.

The DMA of such a function used the IOMMU tables of a VM to which the device did not belong.
"""

from refmodel.designs import AssignedDevices
from refmodel.language import cached, choose, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.monitor.devices import DeviceAccess

ENTRY, CLAUSE = "D02", "ISO-1"


class Bug(AssignedDevices):
    """A device's accesses are translated by the IOMMU table of another VM."""

    geometry = AssignedDevices.geometry.resized(Vm=2, Gfn=1)

    def dma(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> DeviceAccess:
        whose: Vm = choose(Vm, lambda each: self.iommu[each, gfn].present)
        if not (self.iotlb[vm, gfn].present and cached("IOTLB entry")):
            require(self.iommu[whose, gfn].present)
            self.iotlb[vm, gfn] = self.iommu[whose, gfn]
        entry = self.iotlb[vm, gfn]
        require(entry.writable or access == Access.READ)
        shown = self.touch(entry.mfn, offset, access, value)
        return DeviceAccess(shown, self.bare_physical(vm, gfn, offset, access, value), gfn, access == Access.WRITE)
