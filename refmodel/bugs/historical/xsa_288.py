"""XSA-288 (Xen; xen.git fe21b78ef99a): a frame that had never been written to kept its device mapping when it became a table."""

import attrs

from refmodel.designs import Direct
from refmodel.language import operation, require
from refmodel.machine.names import Mfn, Vm
from refmodel.mmu.direct import Pinned, Standing, Type

ENTRY, CLAUSE = "B06", "ISO-3"


class Bug(Direct):
    """A device loses access to a frame that becomes a table only if the frame had the writable type before."""

    def pin(self, vm: Vm, mfn: Mfn, second: bool) -> Pinned:
        before = self.frames[mfn].type
        done = super().pin(vm, mfn, second)
        if done.done and before == Type.WRITABLE:
            self.iommu[vm, mfn] = False
        return done

    @operation
    def revoke_writes(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        require(frame.standing == Standing.RESERVED)
        self.forget_frame(mfn)
        self.frames[mfn] = attrs.evolve(frame, standing=Standing.CHECKING)
