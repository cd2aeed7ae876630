"""CVE-2012-2121 (KVM, commit 32f6daad4651): when a memory slot was removed, the IOMMU continued to map its pages for devices.

CVE-2013-4592 (e40f193f5bb0) was the same defect for a slot that was moved.
"""

from refmodel.language import require
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.devices import Devices
from refmodel.monitor.memory_slots import MemorySlots
from refmodel.points import over

ENTRY, CLAUSE = "C07", "ISO-1"


class Bug(MemorySlots, Devices, ContractMmu):
    """When a memory slot is deleted, its pages are released although devices still map them."""

    geometry = over("any", ("memory-slots", "devices")).geometry

    def unplug_page(self, vm: Vm, gfn: Gfn) -> None:
        require(self.has_memory(vm, gfn))
        self.vacate(vm, gfn)
        self.unplug(vm, gfn)
