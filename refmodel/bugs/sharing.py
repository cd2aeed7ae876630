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
    """A page gets a frame of its own, with whatever is in it."""

    def copy_frame(self, source: Mfn, target: Mfn) -> None:
        """Nothing."""


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

    def alike(self, mfn: Mfn, other: Mfn) -> bool:
        return True


class MergedWithItself(Interpreter):
    """A page is merged with itself: it is shared by nobody, no frame is saved, and its next store exits."""

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
    """A page that no other shares any more waits for a frame of its own, though it has one."""


class LastSharerWaitsForItsFault(_LastSharerWaits, Ept):
    """An EPT violation for a page that no other shares any more waits for a frame, though the page has one."""


class StoresNeverLet(VirtualTlb):
    """A page that was shared is given a frame of its own, and its stores are put off all the same."""

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        super().let_write(vm, gfn)
        return False


class StoreThatExitsHappens(Ept):
    """A store happens, and exits all the same: the guest stores once more."""

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
