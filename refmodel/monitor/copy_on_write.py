"""Copy on write: a frame behind several guest pages, read-only everywhere, and what happens when somebody stores to one of them.

Who merged the pages, and how it knew that they hold the same, makes no difference here. The hardware refuses the first store,
because the frame is mapped read-only; the monitor gives the page a frame of its own again, and the guest tries again.
"""

import attrs

from refmodel.language import operation, require
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import P2m


class CopyOnWrite(P2m):
    def merges(self) -> bool:
        return True

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
        if not self.may_leave(vm, gfn) or self.lacks_frame(vm):
            return False
        mfn = self.free_frame(vm)
        self.forget(vm, gfn)
        self.copy_frame(entry.mfn, mfn)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = attrs.evolve(entry, mfn=mfn)
        self.retire(vm, gfn, entry.mfn)
        return True

    def copy_frame(self, source: Mfn, target: Mfn) -> None:
        self.memory[target] = self.memory[source]

    def alike(self, mfn: Mfn, other: Mfn) -> bool:
        """Whether two frames hold the same: every cell is compared."""
        return self.memory[mfn] == self.memory[other]

    def may_join(self, mfn: Mfn) -> bool:
        """Whether one page more may come to lie in a frame."""
        return True

    def is_node(self, mfn: Mfn) -> bool:
        """Whether a frame waits in a tree of shared frames for pages that hold what it holds."""
        return False

    def join(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        """A page leaves its frame, of which it was the sole user, for one that holds the same."""
        entry = self.p2m[vm, gfn]
        require(self.may_leave(vm, gfn))
        self.forget(vm, gfn)
        self.p2m[vm, gfn] = attrs.evolve(entry, mfn=mfn, writable=False)
        self.frames[mfn] = Frame(Use.SHARED, references=self.frames[mfn].references + 1)
        self.retire(vm, gfn, entry.mfn)
