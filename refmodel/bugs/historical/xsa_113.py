"""XSA-113 (Xen; xen.git 6913fa31fa89): a refused MMU_MACHPHYS_UPDATE kept the reference that it had taken."""

from refmodel.designs import DirectWithGrants
from refmodel.language import require
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.mmu.direct_grants import MachphysUpdated

ENTRY, CLAUSE = "A28", "RES-1"


class Bug(DirectWithGrants):
    """A hypercall that is refused does not release the reference that it took."""

    def machphys_update(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> MachphysUpdated:
        require(self.frames[mfn].owned)
        self.get_page(mfn)
        if self.frames[mfn].vm != vm:
            return MachphysUpdated(False, mfn, gfn)
        self.m2p[mfn] = gfn
        self.put_page(mfn)
        return MachphysUpdated(True, mfn, gfn)
