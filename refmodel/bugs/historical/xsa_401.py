"""XSA-401, CVE-2022-26362 (Xen; xen.git 8cc5036bc385): processors were flushed before the frame's type was changed.

Between the two steps another processor could map the frame writable, use the mapping and remove it again. The type word looked as
before, and the translation stayed cached.
"""

import attrs

from refmodel.designs import Direct
from refmodel.language import Total, guest, require
from refmodel.machine.names import Mfn, Vm
from refmodel.mmu.direct import Pinned, Standing, Type

ENTRY, CLAUSE = "A03", "ISO-3"


class Bug(Direct):
    """Processors flush a frame's writable translations before the frame loses its writable type. A
    translation that is cached in between stays."""

    forgotten: Total[Mfn, bool]

    @guest
    def pin(self, vm: Vm, mfn: Mfn, second: bool) -> Pinned:
        frame = self.frames[mfn]
        require(frame.owned and frame.vm == vm)
        require(frame.standing == Standing.PLAIN)
        require(frame.uses == 0)
        if not self.forgotten[mfn]:
            self.forget_frame(mfn)
            self.forgotten[mfn] = True
            return Pinned(False, mfn, second)  # preempted: the call is made again
        self.forgotten[mfn] = False
        self.iommu[vm, mfn] = False
        self.frames[mfn] = attrs.evolve(frame, type=Type.L2 if second else Type.L1, standing=Standing.CHECKING, uses=1, pinned=True)
        return Pinned(True, mfn, second)
