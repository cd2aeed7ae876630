"""Mutants of unsync shadow tables: shadows that outlive what they were made of, and rights that nobody gave."""

from refmodel.bare import Event, Reply
from refmodel.bare_levels import LinearAttempt
from refmodel.bugs.mutant import Mutant
from refmodel.designs import ShadowUnsync
from refmodel.language import reset
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.monitor.p2m import Supply


class LeavesOutliveThePage(ShadowUnsync):
    """A page is removed and processors flush it, and its leaf shadow entries stay."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.tlb, lambda entry, v, vcpu, upper, page: v == vm and entry.gfn == gfn)
        self.drop_tables(vm, gfn)


class UnsyncProcessorsRememberThePage(ShadowUnsync):
    """A page and its shadow entries are removed, and processors keep their cached translations."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.leaves, lambda entry, v, table, role, page: v == vm and entry.gfn == gfn)
        self.drop_tables(vm, gfn)


class LinksOutliveTheShadow(ShadowUnsync):
    """The shadows of a page are reclaimed, and shadow links still name them."""

    def drop_tables(self, vm: Vm, gfn: Gfn) -> None:
        self.traced[vm, gfn] = False
        self.synced[vm, gfn] = False
        self.unsync[vm, gfn] = False
        self.sync(vm, gfn)


class LeavesOutliveTheShadow(ShadowUnsync):
    """The shadows of a page are reclaimed, and their entries stay."""

    def drop_tables(self, vm: Vm, gfn: Gfn) -> None:
        self.traced[vm, gfn] = False
        self.synced[vm, gfn] = False
        self.unsync[vm, gfn] = False
        reset(self.links, lambda link, v, root, upper: v == vm and (root == gfn or link.table == gfn))


class ZeroesRead(ShadowUnsync):
    """Every load shows zero."""

    def touch(self, mfn: Mfn, offset: Index, access: Access, value: Cell) -> Reply:
        if access == Access.WRITE:
            return super().touch(mfn, offset, access, value)
        return Reply(Event.COMPLETED)


class UnsyncShortageIsAHole(ShadowUnsync):
    """When no frame is free, the guest gets a missing-memory error."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        found = super().supply(vm, gfn, write)
        return Supply.HOLE if found == Supply.LATER else found


class UnsyncStoresExit(ShadowUnsync):
    """Every store exits, whatever the shadow tables allow."""

    def store(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, value: Cell) -> LinearAttempt:
        return LinearAttempt(Reply(), Reply(), vcpu, upper, page, Access.WRITE)


class NothingFilled(ShadowUnsync):
    """A fault is reported as served, and no shadow entry is created."""

    def fill(self, vm: Vm, above: Cell, page: Index, leaf: Cell) -> None:
        """Nothing."""


MUTANTS = {
    "unsync-leaves-outlive-the-page": Mutant(LeavesOutliveThePage, "ISO-1"),
    "unsync-processors-remember-the-page": Mutant(UnsyncProcessorsRememberThePage, "ISO-1"),
    "unsync-links-outlive-the-shadow": Mutant(LinksOutliveTheShadow, "ISO-3"),
    "unsync-leaves-outlive-the-shadow": Mutant(LeavesOutliveTheShadow, "ISO-3"),
    "unsync-zeroes-read": Mutant(ZeroesRead, "EQV-1"),
    "unsync-shortage-is-a-hole": Mutant(UnsyncShortageIsAHole, "EQV-2"),
    "unsync-stores-exit": Mutant(UnsyncStoresExit, "EFF-1"),
    "unsync-nothing-filled": Mutant(NothingFilled, "EFF-2"),
}
"""By name."""
