"""CVE-2021-47639 (KVM, commit d62007edf01f): a page was unmapped from valid roots only.

A root that was invalid but not yet freed kept its entries, while the host already gave the page to another process.
"""

from refmodel.designs import EptCpus
from refmodel.language import reset
from refmodel.machine.names import Gfn, Vm

ENTRY, CLAUSE = "A07", "ISO-1"


class Bug(EptCpus):
    """A page is removed from the VM's current table only, and not from a table that waits to be freed."""

    def zap(self, vm: Vm, gfn: Gfn) -> None:
        root = self.eptp[vm].mfn
        reset(self.ept, lambda entry, table, of: of == gfn and table == root)
