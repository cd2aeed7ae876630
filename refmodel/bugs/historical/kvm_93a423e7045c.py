"""KVM, commit 93a423e7045c: remote TLBs were not flushed when a large entry was replaced by a table.

Another processor continued to store through the large entry to a page that had been write-protected.
"""

from refmodel.designs import EptTwoSizes
from refmodel.machine.names import Gfn, Vm

ENTRY, CLAUSE = "B09", "ISO-1"


class Bug(EptTwoSizes):
    """Nothing is flushed when a large entry is split, or when a page without a small entry is write-protected."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        if self.small_entry(vm, gfn).present:
            super().protect(vm, gfn)
        elif self.is_covered(gfn):
            self.set_apart(vm, gfn)
