"""Mutants of nested paging."""

from refmodel.bare import Reply
from refmodel.designs import Npt
from refmodel.language import choose, fails, require
from refmodel.machine.cells import Cell
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Tag, Vm
from refmodel.mmu.npt import NestedEntry, NptFrame, NptRole, NptSeen


class AsidGivenTwice(Npt):
    """An ASID that was given, and not flushed, is given again."""

    def is_fresh(self, cpu: Cpu, asid: Tag) -> bool:
        return True


class FlushedInName(Npt):
    """A processor's ASIDs begin anew, and its translations are there still."""

    def invalidate_all(self, cpu: Cpu) -> None:
        """Nothing."""


class NobodyKicked(Npt):
    """A VM gets other ASIDs, and processors that run it are not told."""

    def kick(self, vm: Vm) -> None:
        """Nothing."""


class AsidKept(Npt):
    """A page goes, and the VM keeps its ASIDs with all that is cached under them."""

    def drop_asids(self, vm: Vm) -> None:
        self.kick(vm)


class ReusedWhileRunning(Npt):
    """A frame is reused while a processor that was kicked has not exited."""

    def may_reuse(self, frame: NptFrame) -> bool:
        return True


class NotTheUsers(Npt):
    """Nested entries are made without the user flag, and every fault comes again."""

    def made_of(self, backing: NestedEntry) -> NestedEntry:
        return NestedEntry(True, backing.mfn, backing.writable)


class NptPopulatedUnscrubbed(Npt):
    """A page comes to a guest with what its frame held."""

    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(not self.plugged[vm, gfn] and self.still_running(vm) == 0)
        if fails("frame"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: self.owners[mfn].role == NptRole.FREE)
        self.owners[mfn] = NptFrame(NptRole.PAGE, vm, gfn)
        self.p2m[vm, gfn] = NestedEntry(True, mfn, True, True)
        self.plug(vm, gfn)


class FrameKeptForAPageThatWent(Npt):
    """A page goes, and its frame is kept as though it were there."""

    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        old = self.p2m[vm, gfn]
        super().inflate(vm, gfn)
        self.owners[old.mfn] = NptFrame(NptRole.PAGE, vm, gfn)


class NptZeroesRead(Npt):
    """Loads show zeroes."""

    def load(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> NptSeen:
        seen = super().load(vm, cpu, gfn, offset)
        return NptSeen(Reply(seen.shown.event, Cell()), seen.due, vm, gfn, False)


class NptStoresExit(Npt):
    """Every store exits."""

    def store(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> NptSeen:
        require(self.runs(cpu, vm))
        return NptSeen(Reply(), Reply(), vm, gfn, True)
