"""XSA-241, CVE-2017-15588 (Xen; xen.git 23a183607a42): the time since which a page needs a flush was read first and recorded later.

A processor that flushed between the two steps counted as flushed after the page's last writer had gone, so that a flush was
omitted.
"""

import attrs

from refmodel.designs import Direct
from refmodel.language import Total, operation, require, reset
from refmodel.machine.names import Mfn, Vcpu, Vm
from refmodel.mmu.direct import BaseLoaded, Standing

ENTRY, CLAUSE = "C09", "ISO-3"


class Bug(Direct):
    """A frame is recorded as needing a flush while it still has a writer. A flush clears the record, and the writer continues."""

    flush_due: Total[Mfn, bool]
    """Whether a processor may have a frame cached for writing, by when they flushed last."""

    @operation
    def note_flush(self, mfn: Mfn) -> None:
        require(self.frames[mfn].uses == 1)
        self.flush_due[mfn] = True

    def new_baseptr(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> BaseLoaded:
        done = super().new_baseptr(vm, vcpu, mfn)
        if done.done:
            reset(self.flush_due, lambda due, frame: True)
        return done

    @operation
    def revoke_writes(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        require(frame.standing == Standing.RESERVED)
        if self.flush_due[mfn]:
            self.forget_frame(mfn)
        self.iommu[frame.vm, mfn] = False
        self.frames[mfn] = attrs.evolve(frame, standing=Standing.CHECKING)
