"""XSA-393, CVE-2022-23033 (Xen on ARM; xen.git a428b913a085): an entry stayed in the p2m when its page was removed.

The entry had been made invalid for access tracking, and only valid entries were cleared. The next access made the entry valid.
"""

from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.access_tracking import AccessTracking
from refmodel.monitor.memory_slots import MemorySlots
from refmodel.monitor.p2m import Backing
from refmodel.points import over

ENTRY, CLAUSE = "C08", "ISO-1"


class Bug(MemorySlots, AccessTracking, ContractMmu):
    """A page that is withdrawn for access tracking keeps its entry when the guest gives the page up, and the next access restores
    the entry."""

    geometry = over("any", ("memory-slots", "access-tracking")).geometry

    def vacate(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        super().vacate(vm, gfn)
        if entry.backing == Backing.IDLE:
            self.p2m[vm, gfn] = entry
