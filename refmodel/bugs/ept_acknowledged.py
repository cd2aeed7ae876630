"""Mutants of extended page tables whose flushes are acknowledged."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptAcknowledged
from refmodel.language import operation, require, reset
from refmodel.machine.names import Vcpu, Vm
from refmodel.mmu.ept import Eptp
from refmodel.mmu.replies import TableGone


class TableFreedAtOnce(EptAcknowledged):
    """A table is freed when its VM stops using it, although a vCPU may still walk the table."""

    def give_up_table(self, vm: Vm) -> None:
        mfn = self.eptp[vm].mfn
        self.eptp[vm] = Eptp()
        self.release(mfn)


class TableFreedBeforeTheFlush(EptAcknowledged):
    """A table that waits to be freed is freed before every vCPU has acknowledged."""

    @operation
    def free_table(self, vm: Vm) -> None:
        mfn = self.eptp[vm].mfn
        require(self.has_given_up(vm))
        self.eptp[vm] = Eptp()
        self.release(mfn)


class TableGivenUpFull(EptAcknowledged):
    """A VM stops using a table, and the table keeps its entries."""

    @operation
    def reclaim_table(self, vm: Vm) -> TableGone:
        mfn = self.eptp[vm].mfn
        require(self.eptp[vm].present)
        self.flush_tables(vm)
        self.give_up_table(vm)
        return TableGone(mfn)


class CombinedMappingsKept(EptAcknowledged):
    """A vCPU acknowledges a flush after dropping only its guest-physical mappings, and keeps combined mappings."""

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu])
        reset(self.physical_tlb, lambda mapping, of, on, gfn: of == vm and on == vcpu)
        self.asked[vm, vcpu] = False


class NotAskedWhenTakenBack(EptAcknowledged):
    """A table is reclaimed from its VM, and no vCPU is asked to flush."""

    @operation
    def reclaim_table(self, vm: Vm) -> TableGone:
        mfn = self.eptp[vm].mfn
        require(self.eptp[vm].present)
        reset(self.ept, lambda entry, table, gfn: table == mfn)
        self.give_up_table(vm)
        return TableGone(mfn)


class OverWhenBegun(EptAcknowledged):
    """A flush counts as ended as soon as it begins."""

    def have_acknowledged(self, vm: Vm) -> bool:
        return True


MUTANTS = {
    "table-freed-at-once": Mutant(TableFreedAtOnce, "EQV-5"),
    "table-freed-before-the-flush": Mutant(TableFreedBeforeTheFlush, "EQV-5"),
    "table-given-up-full": Mutant(TableGivenUpFull, "ISO-3"),
    "combined-mappings-kept": Mutant(CombinedMappingsKept, "ISO-1"),
    "not-asked-when-taken-back": Mutant(NotAskedWhenTakenBack, "EQV-5"),
    "flush-over-when-begun": Mutant(OverWhenBegun, "ISO-1"),
}
"""By name."""
