"""KVM/arm64, commit 2e8010bb71b3: a block was mapped though guest and host addresses differed modulo its size.

The host's page was huge, and nobody asked whether it lay as the guest's does; every page but one led to a neighbour's frame.
"""

from refmodel.designs import EptLarge
from refmodel.language import count
from refmodel.machine.names import Block, Region, Vm

ENTRY, CLAUSE = "A08", "ISO-1"


class Bug(EptLarge):
    """A region is mapped large where its pages lie in one block, in order or not."""

    def fits_large(self, vm: Vm, region: Region, block: Block) -> bool:
        return count(self.p2m, lambda place, v, r, page: v == vm and r == region and not (
            place.mapped and place.writable and place.block == block)) == 0
