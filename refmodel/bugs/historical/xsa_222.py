"""XSA-222 (Xen; xen.git a0cce6048d01, b614f642c3): a frame was freed although it could not be taken from the p2m.

To take one page from a superpage takes a table; if there was none, the caller did not look.
"""

from refmodel.designs import EptTwoSizes
from refmodel.machine.names import Gfn, Vm

ENTRY, CLAUSE = "A05", "ISO-1"


class Bug(EptTwoSizes):
    """A page is released although its large entry could not be split, so the large entry still maps the page."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        if not self.upper[vm, self.region[gfn]].large or self.divide(vm, self.region[gfn]):
            super().forget(vm, gfn)
