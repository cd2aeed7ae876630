"""Mutants of EPT on EPT: what was composed outlives what it was composed of, and exits that are not due."""

import attrs

from refmodel.bare import Event, Reply, Seen
from refmodel.bugs.mutant import Mutant
from refmodel.designs import Nested, ShadowOnEpt
from refmodel.language import NOTHING, require, reset
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.replies import Attempt, Filled
from refmodel.mmu.shadow import ShadowEntry
from refmodel.monitor.p2m import Supply


class Ept01OutlivesThePage(Nested):
    """A page of L1 is removed from EPT02, and its EPT01 entry stays."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.ept02, lambda entry, v, vcpu, eptp, page: v == vm and entry.gfn == gfn)
        reset(self.tlb02, lambda entry, v, vcpu, eptp, page: v == vm and entry.gfn == gfn)


class Ept02OutlivesThePage(Nested):
    """A page of L1 is removed from EPT01, and its EPT02 entries stay."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.ept01[vm, gfn] = ShadowEntry()
        reset(self.tlb02, lambda entry, v, vcpu, eptp, page: v == vm and entry.gfn == gfn)


class ProcessorsRememberEpt02(Nested):
    """A page of L1 is removed from every table, and processors still cache EPT02 entries of the page."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.ept01[vm, gfn] = ShadowEntry()
        reset(self.ept02, lambda entry, v, vcpu, eptp, page: v == vm and entry.gfn == gfn)


class L2ReadsZeroes(Nested):
    """Every load of L2 shows zero."""

    def touch(self, mfn: Mfn, offset: Index, access: Access, value: Cell) -> Reply:
        if access == Access.WRITE:
            return super().touch(mfn, offset, access, value)
        return Reply(Event.COMPLETED)


class NestedShortageIsAHole(Nested):
    """When L0 has no free frame, L1 or L2 gets a missing-memory error."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        found = super().supply(vm, gfn, write)
        return Supply.HOLE if found == Supply.LATER else found


class L2StoresExit(Nested):
    """Every store of L2 exits to L0."""

    def store_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Attempt:
        return Attempt(Reply(), Reply(), vcpu, page, Access.WRITE)


class L1StoresExit(Nested):
    """Every store of L1 exits to L0."""

    def store_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return Seen(gfn=gfn, write=True)


class L1NotTold(Nested):
    """L1 intercepts L2's VMSAVE, and L0 emulates the instruction without an exit to L1."""

    def vmsave(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, number: Mfn) -> Attempt:
        require(self.nested[vm, vcpu].in_l2)
        return attrs.evolve(self.save_l2(vm, vcpu, page, offset), sensitive=True)


class L1ToldUnasked(Nested):
    """Every VMSAVE of L2 exits to L1, even if L1 does not intercept it."""

    def vmsave(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, number: Mfn) -> Attempt:
        nested = self.nested[vm, vcpu]
        require(nested.in_l2)
        self.nested[vm, vcpu] = attrs.evolve(nested, in_l2=False)
        return Attempt(Reply(), Reply(), vcpu, NOTHING, Access.WRITE, sensitive=True)


class ReflectedAndL2RunsOn(Nested):
    """L0 reflects an EPT violation to L1, and the vCPU still runs L2."""

    def nested_ept_violation(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        nested = self.nested[vm, vcpu]
        done = super().nested_ept_violation(vm, vcpu, page, access)
        self.nested[vm, vcpu] = nested
        return done


class ReadOnlyPagesNotServed(Nested):
    """L1 stores to a page that EPT01 maps read-only, and L0 does not serve the violation."""

    def violates(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        return not self.ept01[vm, gfn].present


class NothingComposed(Nested):
    """An EPT violation of L2 is reported as served, and no EPT02 entry is installed."""

    def compose(self, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index, cell: Cell) -> None:
        """Nothing."""


class NothingInstalledForL1(Nested):
    """An EPT violation of L1 is reported as served, and no EPT01 entry is installed."""

    def install01(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class L2KeepsWhatL1Invalidates(ShadowOnEpt):
    """L0 emulates L1's INVVPID on L1's own VPID instead of L2's."""

    def l1_invvpid(self, vm: Vm, vcpu: Vcpu, l2: Vcpu) -> None:
        require(vcpu != l2)
        reset(self.bare_tlb, lambda cell, v, c, page: v == vm and c == l2)
        self.invvpid(vm, vcpu)


MUTANTS = {
    "nested-ept01-outlives-the-page": Mutant(Ept01OutlivesThePage, "ISO-1"),
    "nested-ept02-outlives-the-page": Mutant(Ept02OutlivesThePage, "ISO-1"),
    "nested-processors-remember-ept02": Mutant(ProcessorsRememberEpt02, "ISO-1"),
    "nested-l2-reads-zeroes": Mutant(L2ReadsZeroes, "EQV-1"),
    "nested-shortage-is-a-hole": Mutant(NestedShortageIsAHole, "EQV-2"),
    "nested-l2-stores-exit": Mutant(L2StoresExit, "EFF-1"),
    "nested-l1-stores-exit": Mutant(L1StoresExit, "EFF-1"),
    "nested-l1-not-told": Mutant(L1NotTold, "EQV-2"),
    "nested-l1-told-unasked": Mutant(L1ToldUnasked, "EQV-2"),
    "nested-reflected-and-l2-runs-on": Mutant(ReflectedAndL2RunsOn, "EQV-2"),
    "nested-read-only-pages-not-served": Mutant(ReadOnlyPagesNotServed, "EFF-2"),
    "nested-nothing-composed": Mutant(NothingComposed, "EFF-2"),
    "nested-nothing-installed-for-l1": Mutant(NothingInstalledForL1, "EFF-2"),
    "nested-l2-keeps-what-l1-invalidates": Mutant(L2KeepsWhatL1Invalidates, "EQV-5"),
}
"""By name."""
