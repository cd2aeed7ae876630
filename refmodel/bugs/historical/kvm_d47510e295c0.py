"""KVM, commit d47510e295c0: the IOMMU mapped pages writable that a device may only read.

Memory slots may be read-only, and every page was mapped with both rights.
"""

import attrs

from refmodel.designs import AssignedDevices
from refmodel.language import guest
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.devices import Handed
from refmodel.monitor.p2m import Supply

ENTRY, CLAUSE = "C13", "ISO-1"


class Bug(AssignedDevices):
    """A device may store to every page that it may read."""

    @guest
    def hand_to_device(self, vm: Vm, gfn: Gfn, write: bool) -> Handed:
        handed = super().hand_to_device(vm, gfn, write)
        if handed.found == Supply.READY:
            self.iommu[vm, gfn] = attrs.evolve(self.iommu[vm, gfn], writable=True)
        return handed
