"""KVM/arm64, commit 2e8010bb71b3: a large block was mapped although guest and host addresses differed modulo the block size.

The host page was huge, and its alignment was not compared with the guest's, so that most guest pages got a neighbour's frame.
"""

from refmodel.designs import EptTwoSizes
from refmodel.language import count
from refmodel.machine.names import Block, Region, Vm

ENTRY, CLAUSE = "A08", "ISO-1"


class Bug(EptTwoSizes):
    """A region is mapped large if its pages lie in one block, even if they lie there in another order."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(
            self.p2m,
            lambda entry, of, gfn: (
                of == vm
                and self.is_covered(gfn)
                and self.lies_in(gfn, region)
                and not (entry.mapped and entry.writable and self.block[entry.mfn] == block)
            ),
        )
