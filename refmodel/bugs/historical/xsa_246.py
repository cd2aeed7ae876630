"""XSA-246 (Xen; xen.git a1c6c6768971): populate on demand tried again for ever when its superpage could not be split.

There was no table to be had, the error was not passed on, and the guest touched the page again, and again.
"""

from refmodel.designs import EptLarge
from refmodel.machine.names import Index, Region, Vm
from refmodel.mmu.ept_large import Outcome

ENTRY, CLAUSE = "A27", "EFF-2"


class Bug(EptLarge):
    """That a promise could not be split is not passed on: the access is to be tried again."""

    def demand_page(self, vm: Vm, region: Region, page: Index) -> Outcome:
        super().demand_page(vm, region, page)
        return Outcome.RETRY
