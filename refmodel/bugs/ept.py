"""Mutants of the EPT MMU: a forgotten flush, a forgotten clearing, an exit too many."""

from refmodel.bare import Event, Reply, Seen
from refmodel.bugs.mutant import Mutant
from refmodel.designs import Ept
from refmodel.language import operation, require, reset
from refmodel.machine.cells import Cell
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.ept import EptEntry, Eptp
from refmodel.mmu.replies import Handled, Result, TableGone
from refmodel.monitor.p2m import Supply


class WaitsAsTheGuestsFault(Ept):
    """An EPT violation that has to wait for a frame is reflected to the guest as a page fault."""

    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        done = super().ept_violation(vm, gfn, write)
        return Handled(Result.REFLECTED if done.result == Result.FAILED else done.result, vm, gfn, write)


class NoFlushWhenWriteProtecting(Ept):
    """An entry loses its write permission, and processors keep their writable translations."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        eptp = self.eptp[vm]
        if eptp.present:
            entry = self.ept[eptp.mfn, gfn]
            self.ept[eptp.mfn, gfn] = EptEntry(entry.present, entry.mfn, writable=False)


class TableReclaimedUncleared(Ept):
    """A table's frame is freed while its entries are still present."""

    @operation
    def reclaim_table(self, vm: Vm) -> TableGone:
        eptp = self.eptp[vm]
        require(eptp.present)
        self.eptp[vm] = Eptp()
        self.invept(eptp.mfn)
        self.release(eptp.mfn)
        return TableGone(eptp.mfn)


class TableKept(Ept):
    """A table is emptied and said to be taken back, and its VM still has it."""

    @operation
    def reclaim_table(self, vm: Vm) -> TableGone:
        eptp = self.eptp[vm]
        require(eptp.present)
        reset(self.ept, lambda entry, table, gfn: table == eptp.mfn)
        self.flush_tables(vm)
        return TableGone(eptp.mfn)


class InvlpgIgnored(Ept):
    """INVLPG exits, and the monitor does not execute INVVPID."""

    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()


class EveryLoadExits(Ept):
    """Every load exits and is emulated."""

    def load_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index) -> Seen:
        require(not self.paging[vm, vcpu].enabled)
        return Seen(Reply(Event.EXITED), gfn=gfn)


class ReadOnlyForever(Ept):
    """A store to a shared page installs a read-only entry, so that the guest exits again forever."""

    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        require(not self.installed(vm, gfn, write))
        entry = self.p2m[vm, gfn]
        if not entry.mapped:
            return Handled(Result.HOLE, vm, gfn, write)
        if not self.have_table(vm):
            return Handled(Result.FAILED, vm, gfn, write)
        self.ept[self.eptp[vm].mfn, gfn] = EptEntry(True, entry.mfn, entry.writable)
        return Handled(Result.INSTALLED, vm, gfn, write)


class ShortageReportedAsHole(Ept):
    """When no frame is free, the guest gets a missing-memory error."""

    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        require(not self.installed(vm, gfn, write))
        entry = self.p2m[vm, gfn]
        if not entry.mapped or not self.have_table(vm):
            return Handled(Result.HOLE, vm, gfn, write)
        if self.supply(vm, gfn, write) == Supply.LATER:
            return Handled(Result.FAILED, vm, gfn, write)
        entry = self.p2m[vm, gfn]
        self.ept[self.eptp[vm].mfn, gfn] = EptEntry(True, entry.mfn, entry.writable)
        return Handled(Result.INSTALLED, vm, gfn, write)


MUTANTS = {
    "no-flush-when-write-protecting": Mutant(NoFlushWhenWriteProtecting, "ISO-2"),
    "table-reclaimed-uncleared": Mutant(TableReclaimedUncleared, "ISO-3"),
    "table-kept": Mutant(TableKept, "RES-3"),
    "shortage-reported-as-hole": Mutant(ShortageReportedAsHole, "EQV-2"),
    "invlpg-ignored": Mutant(InvlpgIgnored, "EQV-5"),
    "every-load-exits": Mutant(EveryLoadExits, "EFF-1"),
    "read-only-for-ever": Mutant(ReadOnlyForever, "EFF-2"),
    "waits-as-the-guests-fault": Mutant(WaitsAsTheGuestsFault, "EQV-2"),
}
"""By name."""
