"""XSA-246 (Xen; xen.git a1c6c6768971): populate on demand retried forever when its superpage could not be split.

No frame was free for a table, the error was not reported, and the guest accessed the page again and again.
"""

from refmodel.designs import EptTwoSizes
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.ept_sizes import EptSizesMmu
from refmodel.mmu.replies import Result
from refmodel.monitor.populate_on_demand import PopulateOnDemand

ENTRY, CLAUSE = "A27", "EFF-2"


class Bug(PopulateOnDemand, EptSizesMmu):
    """A populate-on-demand page that lacks a table is not reported as a failure, so the guest retries the access forever."""

    geometry = EptTwoSizes.geometry

    def install(self, vm: Vm, gfn: Gfn) -> Result:
        super().install(vm, gfn)
        return Result.INSTALLED
