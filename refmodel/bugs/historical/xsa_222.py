"""XSA-222 (Xen; xen.git a0cce6048d01, b614f642c3): a frame was freed although its page could not be removed from the p2m.

Removing one page of a superpage needs a new table, and the caller did not check whether a table was available.
"""

from refmodel.designs import EptTwoSizes
from refmodel.machine.names import Gfn, Vm

ENTRY, CLAUSE = "A05", "ISO-1"


class Bug(EptTwoSizes):
    """A page is released although its large entry could not be split, so the large entry still maps the page."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        if not self.upper[vm, self.region[gfn]].large or self.divide(vm, self.region[gfn]):
            super().forget(vm, gfn)
