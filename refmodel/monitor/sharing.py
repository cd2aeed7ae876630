"""Copy-on-write sharing: guest pages with the same contents on one machine frame (Waldspurger, OSDI 2002, section 4).

Merging costs a guest nothing it can see. The price is paid on the first write: the hardware refuses it, because the
frame is mapped read-only everywhere, and the monitor breaks the sharing before the guest tries again.
"""

import attrs

from refmodel.language import fails, operation, require
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import P2m


class Sharing(P2m):
    @operation
    def share(self, vm: Vm, gfn: Gfn, other_vm: Vm, other_gfn: Gfn) -> None:
        """Merge two pages that hold the same into one read-only frame, and free the other's."""
        keep, drop = self.p2m[vm, gfn], self.p2m[other_vm, other_gfn]
        require(keep.resident)
        require(drop.resident)
        require(self.frames[drop.mfn].use == Use.PRIVATE)  # its sole user, so that its frame can go
        require(keep.mfn != drop.mfn)  # not merged already
        require(self.alike(keep.mfn, drop.mfn))
        self.seal(vm, gfn)
        self.forget(other_vm, other_gfn)
        self.p2m[other_vm, other_gfn] = attrs.evolve(drop, mfn=keep.mfn, writable=False)
        self.frames[keep.mfn] = Frame(Use.SHARED, references=self.frames[keep.mfn].references + 1)
        self.release(drop.mfn)

    def alike(self, mfn: Mfn, other: Mfn) -> bool:
        """Whether two frames hold the same: every cell is compared."""
        return self.memory[mfn] == self.memory[other]

    def seal(self, vm: Vm, gfn: Gfn) -> None:
        """Nobody writes to the page that stays, nor will when it is idle and comes back."""
        self.withdraw_write(vm, gfn)

    @operation
    def unmerge(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor ends a page's sharing of its own accord."""
        entry = self.p2m[vm, gfn]
        require(entry.resident)
        require(self.frames[entry.mfn].use == Use.SHARED)
        self.let_write(vm, gfn)

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        if self.frames[self.p2m[vm, gfn].mfn].use == Use.SHARED and not self.break_sharing(vm, gfn):
            return False
        return super().let_write(vm, gfn)

    def break_sharing(self, vm: Vm, gfn: Gfn) -> bool:
        """Give a page a frame of its own again, read-only still; False, and nothing done, if none can be had."""
        entry = self.p2m[vm, gfn]
        if self.frames[entry.mfn].references == 1:  # the last sharer keeps the frame
            self.frames[entry.mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
            return True
        if fails("frame"):
            return False
        mfn = self.free_frame()
        self.forget(vm, gfn)
        self.copy_frame(entry.mfn, mfn)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = attrs.evolve(entry, mfn=mfn)
        self.release(entry.mfn)
        return True

    def copy_frame(self, source: Mfn, target: Mfn) -> None:
        self.memory[target] = self.memory[source]
