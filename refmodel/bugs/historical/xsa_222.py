"""XSA-222 (Xen; xen.git a0cce6048d01, b614f642c3): a frame was freed although it could not be taken from the p2m.

To take one page from a superpage takes a table; if there was none, the caller did not look.
"""

from refmodel.designs import EptLarge
from refmodel.machine.names import Index, Region, Vm

ENTRY, CLAUSE = "A05", "ISO-1"


class Bug(EptLarge):
    """A page is given back even if its large mapping could not be split."""

    def removed(self, vm: Vm, region: Region, page: Index) -> bool:
        if self.split(vm, region):
            self.zap(vm, region, page)
        return True
