"""QEMU, commit 38e8e9007d4e: a page that left the balloon was still taken to be in it.

The host discards a large page once all of its small ones were inflated; one that the guest had back, and used, was among them.
"""

from refmodel.designs import EptLarge
from refmodel.language import Total, count, guest, require, reset
from refmodel.machine.names import Index, Region, Vm

ENTRY, CLAUSE = "A22", "EQV-1"


class Bug(EptLarge):
    """Which pages of a block were ever inflated is remembered, and not forgotten when one is deflated."""

    partial: Total[tuple[Vm, Region, Index], bool]

    @guest
    def inflate(self, vm: Vm, region: Region, page: Index) -> None:
        require(self.plugged[vm, region, page])
        require(not self.on_demand[vm, region, page])
        self.inflated[vm, region, page] = True
        self.partial[vm, region, page] = True
        self.plugged[vm, region, page] = False
        if count(self.partial, lambda partial, v, r, p: v == vm and r == region and not partial) == 0:
            self.discard(vm, region)
            reset(self.partial, lambda partial, v, r, p: v == vm and r == region)
