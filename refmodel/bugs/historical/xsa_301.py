"""XSA-301 (Xen on ARM; xen.git 88aaf40eeff7): a guest frame number beyond what the p2m can hold was cut to fit.

The page appeared at another number, over the guest's own.
"""

from refmodel.designs import EptLarge
from refmodel.language import choose, fails, operation, require
from refmodel.machine.names import Index, Region, Vm
from refmodel.mmu.ept_large import Given

ENTRY, CLAUSE = "B03", "RES-2"


class Bug(EptLarge):
    """The bits of a guest frame number that the tables have no room for are ignored."""

    geometry = EptLarge.geometry.resized(Region=2, Index=1, Table=1)

    @operation
    def populate(self, vm: Vm, region: Region, page: Index) -> Given:
        require(not self.p2m[vm, region, page].mapped)
        require(not self.plugged[vm, region, page])
        require(not self.inflated[vm, region, page])
        if fails("frame"):
            return Given(False)
        alias = region
        if not self.covered[region]:
            alias = choose(Region, lambda other: self.covered[other])
        self.place_page(vm, alias, page)
        self.plugged[vm, alias, page] = True
        return Given(True)
