"""KVM/arm64, commit 2e8010bb71b3: a block was mapped though guest and host addresses differed modulo its size.

The host's page was huge, and nobody asked whether it lay as the guest's does; every page but one led to a neighbour's frame.
"""

from refmodel.designs import EptTwoSizes
from refmodel.language import count
from refmodel.machine.names import Block, Region, Vm

ENTRY, CLAUSE = "A08", "ISO-1"


class Bug(EptTwoSizes):
    """A region is mapped large if its pages lie in one block, even if they lie there in another order."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(self.p2m, lambda entry, of, gfn: of == vm and self.is_covered(gfn) and self.lies_in(gfn, region) and not (
            entry.mapped and entry.writable and self.block[entry.mfn] == block))
