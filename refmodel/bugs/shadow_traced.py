"""Mutants of traced shadow paging: tables that a guest can write unseen, and mirrors that outlive what they mirror."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import ShadowTraced
from refmodel.language import reset
from refmodel.machine.cells import Cell
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.mmu.shadow import ShadowEntry


class TracedButCachedWritable(ShadowTraced):
    """A page becomes a guest table and its shadow entries lose W, and processors keep writable translations."""

    def trace(self, vm: Vm, gfn: Gfn) -> None:
        if not self.traced[vm, gfn]:
            self.traced[vm, gfn] = True
            reset(self.mirror, lambda entry, v, root, page: v == vm and entry.gfn == gfn and entry.writable)


class TracedButMirroredWritable(ShadowTraced):
    """A page becomes a guest table, and writable entries for it in other shadow tables stay."""

    def trace(self, vm: Vm, gfn: Gfn) -> None:
        if not self.traced[vm, gfn]:
            self.traced[vm, gfn] = True
            reset(self.tlb, lambda entry, v, vcpu, page: v == vm and entry.gfn == gfn and entry.writable)


class TablesFilledWritable(ShadowTraced):
    """A shadow entry that maps a guest table is filled in writable, like the guest's entry."""

    def fill(self, vm: Vm, root: Gfn, page: Index, entry: Cell) -> None:
        backing = self.p2m[vm, entry.gfn]
        writable = entry.writable and backing.writable
        self.mirror[vm, root, page] = ShadowEntry(True, backing.mfn, writable, entry.executable, entry.gfn, entry.user)


class EmulatedStoreUnmirrored(ShadowTraced):
    """The monitor emulates a store to a guest table, and does not update the shadow entry."""

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """Nothing."""


class TableGoneMirrorStays(ShadowTraced):
    """A guest table's page goes into the balloon, and the shadow table of the guest table stays."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.protect(vm, gfn)


class UntracedUncleared(ShadowTraced):
    """The monitor stops write-protecting a guest table, and the table's shadow entries stay."""

    def drop_table(self, vm: Vm, gfn: Gfn) -> None:
        self.traced[vm, gfn] = False


class MirrorsStillWritable(ShadowTraced):
    """A page becomes shared, and its writable shadow entries stay."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.tlb, lambda entry, v, vcpu, page: v == vm and entry.gfn == gfn)


MUTANTS = {
    "traced-but-cached-writable": Mutant(TracedButCachedWritable, "EQV-5"),
    "traced-but-mirrored-writable": Mutant(TracedButMirroredWritable, "EQV-5"),
    "traced-tables-filled-writable": Mutant(TablesFilledWritable, "EQV-5"),
    "traced-emulated-store-unmirrored": Mutant(EmulatedStoreUnmirrored, "EQV-5"),
    "traced-table-gone-mirror-stays": Mutant(TableGoneMirrorStays, "EQV-5"),
    "traced-untraced-uncleared": Mutant(UntracedUncleared, "EQV-5"),
    "traced-mirrors-still-writable": Mutant(MirrorsStillWritable, "ISO-1"),
}
"""By name."""
