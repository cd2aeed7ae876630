"""XSA-301 (Xen on ARM; xen.git 88aaf40eeff7): a gfn beyond the range of the p2m was truncated.

The page appeared at another gfn, in place of the guest's own page.
"""

from refmodel.designs import EptTwoSizes
from refmodel.geometries import two_sizes
from refmodel.language import choose, operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.p2m import Backing

ENTRY, CLAUSE = "B03", "RES-1"


class Bug(EptTwoSizes):
    """The monitor ignores the upper bits of a gfn that do not fit into its tables."""

    geometry = two_sizes(EptTwoSizes.geometry.resized(Gfn=3))  # the last is in no region

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].backing == Backing.ABSENT)
        alias = gfn
        if not self.is_covered(gfn):
            alias = choose(Gfn, self.is_covered)
        if self.give_frame(vm, alias):
            self.plug(vm, alias)
