"""Mutants of nested paging."""

from refmodel.bare import Event, Reply, Seen
from refmodel.bugs.frames import NeverRetired, Unscrubbed
from refmodel.bugs.mutant import Mutant
from refmodel.designs import Npt
from refmodel.language import guest, operation, require, reset
from refmodel.machine.cells import Cell
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Tag, Vm
from refmodel.mmu.contract import Derived, DerivedTable
from refmodel.mmu.npt import AllFlushed


class AsidGivenTwice(Npt):
    """An ASID that was given, and not flushed, is given again."""

    def is_fresh(self, cpu: Cpu, asid: Tag) -> bool:
        return True


class NptFlushedInName(Npt):
    """A processor's ASIDs begin anew, and its translations are there still."""

    def invalidate_all(self, cpu: Cpu) -> None:
        """Nothing."""


class AsidsNeverComeBack(Npt):
    """A processor flushes all translations, and the ASIDs that were spent stay so: no VM gets one any more."""

    @operation
    def flush_all(self, cpu: Cpu) -> AllFlushed:
        require(not self.running[cpu].active)
        self.invalidate_all(cpu)
        reset(self.asids, lambda held, of, vm: of == cpu)
        return AllFlushed(cpu)


class NobodyKicked(Npt):
    """A VM gets other ASIDs, and processors that run it are not told."""

    def kick(self, vm: Vm) -> None:
        """Nothing."""


class AsidKept(Npt):
    """A page goes, and the VM keeps its ASIDs with all that is cached under them."""

    def drop_asids(self, vm: Vm) -> None:
        self.kick(vm)


class ReusedWhileRunning(Npt):
    """A flush is taken to have ended while a processor that was kicked has not exited."""

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class FreedWhileRunning(Npt):
    """A frame that a page has left is free while a processor that was kicked has not exited."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        self.release(mfn)


class NotTheUsers(Npt):
    """Nested entries are made without the user flag, and every fault comes again."""

    def supplied(self, vm: Vm, gfn: Gfn) -> Derived:
        return DerivedTable.supplied(self, vm, gfn)


class NptPopulatedUnscrubbed(Unscrubbed, Npt):
    """A page comes to a guest with what its frame held."""


class NptFrameKeptForAPageThatWent(NeverRetired, Npt):
    """A page goes, and its frame is kept as though it were there."""


class NptZeroesRead(Npt):
    """Loads show zeroes."""

    @guest
    def load_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> Seen:
        seen = super().load_physical(vm, cpu, gfn, offset)
        return Seen(Reply(seen.shown.event, Cell()), seen.due, gfn)


class NptStoresExit(Npt):
    """Every store exits."""

    @guest
    def store_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        require(self.running[cpu].active and self.running[cpu].vm == vm)
        return Seen(Reply(Event.EXITED), Reply(), gfn, True)


MUTANTS = {
    "npt-asid-given-twice": Mutant(AsidGivenTwice, "EQV-5"),
    "npt-flushed-in-name": Mutant(NptFlushedInName, "EQV-5"),
    "npt-asids-never-come-back": Mutant(AsidsNeverComeBack, "EFF-2"),
    "npt-nobody-kicked": Mutant(NobodyKicked, "EQV-5"),
    "npt-asid-kept": Mutant(AsidKept, "ISO-1"),
    "npt-reused-while-running": Mutant(ReusedWhileRunning, "ISO-1"),
    "npt-freed-while-running": Mutant(FreedWhileRunning, "ISO-3"),
    "npt-not-the-users": Mutant(NotTheUsers, "EFF-2"),
    "npt-populated-unscrubbed": Mutant(NptPopulatedUnscrubbed, "ISO-4"),
    "npt-frame-kept-for-a-page-that-went": Mutant(NptFrameKeptForAPageThatWent, "RES-2"),
    "npt-zeroes-read": Mutant(NptZeroesRead, "EQV-1"),
    "npt-stores-exit": Mutant(NptStoresExit, "EFF-1"),
}
"""By name."""
