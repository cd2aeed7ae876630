"""Mutants of copy-on-write sharing."""

import attrs

from refmodel.designs import Ept
from refmodel.language import fails, require
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.monitor.frames import Frame, Use


class BreakCopiesNothing(Ept):
    """A page gets a frame of its own, with whatever is in it."""

    def break_sharing(self, vm: Vm, gfn: Gfn) -> bool:
        entry = self.p2m[vm, gfn]
        if self.frames[entry.mfn].references == 1:
            self.frames[entry.mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
            return True
        if fails("frame"):
            return False
        mfn = self.free_frame()
        self.forget(vm, gfn)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = attrs.evolve(entry, mfn=mfn)
        self.release(entry.mfn)
        return True


class FreedWhileShared(Ept):
    """Whoever leaves a shared frame frees it."""

    def release(self, mfn: Mfn) -> None:
        self.frames[mfn] = Frame()


class NeverFreed(Ept):
    """The last reference goes, and the frame stays in use by nobody."""

    def release(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        self.frames[mfn] = attrs.evolve(frame, references=frame.references - 1)


class MergedUncompared(Ept):
    """Two pages are merged on the word of a hash."""

    def share(self, vm: Vm, gfn: Gfn, other_vm: Vm, other_gfn: Gfn) -> None:
        keep, drop = self.p2m[vm, gfn], self.p2m[other_vm, other_gfn]
        require(keep.resident)
        require(drop.resident)
        require(self.frames[drop.mfn].use == Use.PRIVATE)
        require(keep.mfn != drop.mfn)
        self.withdraw_write(vm, gfn)
        self.forget(other_vm, other_gfn)
        self.p2m[other_vm, other_gfn] = attrs.evolve(drop, mfn=keep.mfn, writable=False)
        self.frames[keep.mfn] = Frame(Use.SHARED, references=self.frames[keep.mfn].references + 1)
        self.release(drop.mfn)
