"""Mutants of copy-on-write sharing."""

import attrs

from refmodel.bare import Event, Reply
from refmodel.bugs.mutant import Mutant
from refmodel.designs import Ept, Interpreter, VirtualTlb
from refmodel.language import fails, operation, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Mfn, Vm
from refmodel.monitor.copy_on_write import CopyOnWrite
from refmodel.monitor.frames import Frame, Use


class BreakCopiesNothing(Ept):
    """A page gets a private frame with the frame's old contents instead of a copy."""

    def copy_frame(self, source: Mfn, target: Mfn) -> None:
        """Nothing."""


class FreedWhileShared(Ept):
    """A page that leaves a shared frame frees the frame although other pages use it."""

    def release(self, mfn: Mfn) -> None:
        self.frames[mfn] = Frame()


class NeverFreed(Ept):
    """The last reference to a frame is dropped, and the frame is not freed."""

    def release(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        self.frames[mfn] = attrs.evolve(frame, references=frame.references - 1)


class MergedUncompared(Ept):
    """Two pages are merged because their hashes are equal, without comparing their contents."""

    def alike(self, mfn: Mfn, other: Mfn) -> bool:
        return True


class MergedWithItself(Interpreter):
    """A page is merged with itself: no frame is saved, and the page's next store exits."""

    @operation
    def share(self, vm: Vm, gfn: Gfn, other_vm: Vm, other_gfn: Gfn) -> None:
        keep, drop = self.p2m[vm, gfn], self.p2m[other_vm, other_gfn]
        require(keep.resident and drop.resident)
        require(self.frames[drop.mfn].use == Use.PRIVATE)
        require(self.alike(keep.mfn, drop.mfn))
        self.seal(vm, gfn)
        self.join(other_vm, other_gfn, keep.mfn)


class _LastSharerWaits(CopyOnWrite):
    def break_sharing(self, vm: Vm, gfn: Gfn) -> bool:
        return not fails("frame") and super().break_sharing(vm, gfn)


class LastSharerWaits(_LastSharerWaits, Interpreter):
    """The last page in a shared frame waits for a private frame, although it can keep its frame."""


class LastSharerWaitsForItsFault(_LastSharerWaits, Ept):
    """An EPT violation on the last page in a shared frame waits for a frame, although the page can keep its frame."""


class StoresNeverLet(VirtualTlb):
    """A shared page gets a private frame, and its stores are still postponed."""

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        super().let_write(vm, gfn)
        return False


class StoreThatExitsHappens(Ept):
    """A store completes and exits anyway, so that the guest stores twice."""

    def touch(self, mfn: Mfn, offset: Index, access: Access, value: Cell) -> Reply:
        reply = super().touch(mfn, offset, access, value)
        return Reply(Event.EXITED) if access == Access.WRITE else reply


MUTANTS = {
    "break-copies-nothing": Mutant(BreakCopiesNothing, "ISO-5"),
    "freed-while-shared": Mutant(FreedWhileShared, "RES-1"),
    "never-freed": Mutant(NeverFreed, "RES-2"),
    "merged-uncompared": Mutant(MergedUncompared, "EQV-1"),
    "merged-with-itself": Mutant(MergedWithItself, "RES-1"),
    "last-sharer-waits": Mutant(LastSharerWaits, "EFF-1"),
    "last-sharer-waits-for-its-fault": Mutant(LastSharerWaitsForItsFault, "EFF-2"),
    "store-that-exits-happens": Mutant(StoreThatExitsHappens, "EQV-2"),
    "vtlb-stores-never-let": Mutant(StoresNeverLet, "EFF-2"),
}
"""By name."""
