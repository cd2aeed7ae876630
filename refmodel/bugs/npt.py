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
    """An ASID that was used since the last full flush is assigned again."""

    def is_fresh(self, cpu: Cpu, asid: Tag) -> bool:
        return True


class NptFlushedInName(Npt):
    """A processor starts again with all ASIDs unused, and keeps its cached translations."""

    def invalidate_all(self, cpu: Cpu) -> None:
        """Nothing."""


class AsidsNeverComeBack(Npt):
    """A processor flushes all translations, and its used ASIDs never become available again."""

    @operation
    def flush_all(self, cpu: Cpu) -> AllFlushed:
        require(not self.running[cpu].active)
        self.invalidate_all(cpu)
        reset(self.asids, lambda held, of, vm: of == cpu)
        return AllFlushed(cpu)


class NobodyKicked(Npt):
    """A VM gets new ASIDs, and processors that run the VM get no IPI."""

    def kick(self, vm: Vm) -> None:
        """Nothing."""


class AsidKept(Npt):
    """A page is removed, and the VM keeps its ASIDs with their cached translations."""

    def drop_asids(self, vm: Vm) -> None:
        self.kick(vm)


class ReusedWhileRunning(Npt):
    """A flush counts as ended although a processor that was sent an IPI has not exited."""

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        return True


class FreedWhileRunning(Npt):
    """The old frame of a page is free although a processor that was sent an IPI has not exited."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        self.release(mfn)


class NotTheUsers(Npt):
    """Nested entries are created without the user flag, so that every fault recurs."""

    def supplied(self, vm: Vm, gfn: Gfn) -> Derived:
        return DerivedTable.supplied(self, vm, gfn)


class NptPopulatedUnscrubbed(Unscrubbed, Npt):
    """A guest gets a page with the old contents of its frame."""


class NptFrameKeptForAPageThatWent(NeverRetired, Npt):
    """A page is removed, and its frame is still recorded as the page's frame."""


class NptZeroesRead(Npt):
    """Every load shows zero."""

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
