"""KVM, commit 855149aaa900: KVM took a page's dirty state from its SPTE after write protection had cleared W.

The host took the page for clean and dropped it, and later read old contents from swap.
"""

import attrs

from refmodel.designs import WriteProtection
from refmodel.machine.names import Gfn
from refmodel.mmu.write_protection import Spte

ENTRY, CLAUSE = "A19", "EQV-4"


class Bug(WriteProtection):
    """The monitor clears W in an SPTE without recording that the page may have been written to."""

    def write_protect_table(self, gfn: Gfn) -> None:
        entry = self.sptes[gfn]
        if entry.present and (entry.writable or entry.mmu_writable):
            self.sptes[gfn] = Spte(True, False, False)
            self.flush(gfn)

    def take_write(self, gfn: Gfn) -> None:
        self.sptes[gfn] = attrs.evolve(self.sptes[gfn], writable=False)
