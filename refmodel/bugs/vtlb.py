"""Mutants of the virtual TLB: what is forgotten to be forgotten, and rights that nobody gave."""

from refmodel.bare import Event, Reply
from refmodel.bugs.mutant import Mutant
from refmodel.designs import VirtualTlb
from refmodel.language import operation, require, reset
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.replies import Attempt, Filled, Result
from refmodel.mmu.shadow import ShadowEntry, lets
from refmodel.monitor.frames import Frame, Use


class VtlbWaitsAsTheGuestsFault(VirtualTlb):
    """A store that has to wait for a frame is reported as reflected to the guest, and the guest gets no fault."""

    def page_fault(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        done = super().page_fault(vm, vcpu, page, access)
        return Filled(
            Result.REFLECTED if done.result == Result.FAILED else done.result, vm, vcpu, page, access, done.reflected, done.due
        )


class ShadowForgottenTlbNot(VirtualTlb):
    """A page and its shadow entries are removed, and processors keep their cached translations."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.shadow, lambda entry, v, vcpu, page: v == vm and entry.gfn == gfn)


class TlbForgottenShadowNot(VirtualTlb):
    """A page is removed and processors flush it, and its shadow entries stay."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        reset(self.tlb, lambda entry, v, vcpu, page: v == vm and entry.gfn == gfn)


class SharedStillWritable(VirtualTlb):
    """A page becomes shared, and its writable shadow entries stay."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class InvlpgKeepsTheTlb(VirtualTlb):
    """INVLPG drops the shadow entry, and the processor keeps its cached translation."""

    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()
        self.shadow[vm, vcpu, page] = ShadowEntry()


class MovCr3KeepsTheShadow(VirtualTlb):
    """After MOV to CR3, the shadow table of the old address space is used for the new one."""

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        reset(self.tlb, lambda entry, v, c, page: v == vm and c == vcpu)


class EveryFaultIsTheGuests(VirtualTlb):
    """A fault for which no frame is free is reflected to the guest, although the guest's table allows the access."""

    def page_fault(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        filled = super().page_fault(vm, vcpu, page, access)
        if filled.result == Result.FAILED:
            due = self.bare_access(vm, vcpu, self.bare_walk(vm, vcpu, page), page, Access.READ, Cell())
            return Filled(Result.REFLECTED, vm, vcpu, page, access, Reply(Event.PAGE_FAULT), due)
        return filled


class WrongCellRead(VirtualTlb):
    """A load that hits the TLB shows zero."""

    def load(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        seen = self.execute(vm, vcpu, page, offset, Access.READ, Cell())
        if seen.shown.event == Event.COMPLETED:
            return Attempt(Reply(Event.COMPLETED, Cell()), seen.due, vcpu, page, Access.READ)
        return seen


class EveryStoreExits(VirtualTlb):
    """Every store exits and is emulated."""

    def store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Attempt:
        require(self.paging[vm, vcpu].enabled)
        return Attempt(Reply(), Reply(), vcpu, page, Access.WRITE)


class FilledReadOnlyForEver(VirtualTlb):
    """A fault on a store creates a read-only entry, so that the guest faults again forever."""

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        require(self.paging[vm, vcpu].enabled)
        mode = self.paging[vm, vcpu].mode
        require(not lets(self.shadow[vm, vcpu, page], access, mode))
        entry, bare_entry = self.guest_entry(vm, vcpu, page), self.bare_walk(vm, vcpu, page)
        require(permits(entry, access, mode))
        backing = self.p2m[vm, entry.gfn]
        require(backing.mapped)
        self.tlb[vm, vcpu, page] = ShadowEntry()
        self.shadow[vm, vcpu, page] = ShadowEntry(True, backing.mfn, False, entry.executable, entry.gfn, entry.user)
        self.bare_tlb[vm, vcpu, page] = bare_entry
        return Filled(Result.INSTALLED, vm, vcpu, page, access)


class TablesFromThePool(VirtualTlb):
    """Each address space gets a shadow table in a guest frame that is never freed."""

    def mov_cr3(self, vm: Vm, vcpu: Vcpu, root: Gfn) -> None:
        mfn = self.free_frame(vm)
        self.frames[mfn] = Frame(Use.TABLE, vm)
        super().mov_cr3(vm, vcpu, root)


MUTANTS = {
    "vtlb-shadow-forgotten-tlb-not": Mutant(ShadowForgottenTlbNot, "ISO-1"),
    "vtlb-tlb-forgotten-shadow-not": Mutant(TlbForgottenShadowNot, "ISO-1"),
    "vtlb-shared-still-writable": Mutant(SharedStillWritable, "ISO-2"),
    "vtlb-invlpg-keeps-the-tlb": Mutant(InvlpgKeepsTheTlb, "EQV-5"),
    "vtlb-mov-cr3-keeps-the-shadow": Mutant(MovCr3KeepsTheShadow, "EQV-5"),
    "vtlb-every-fault-is-the-guests": Mutant(EveryFaultIsTheGuests, "EQV-2"),
    "vtlb-wrong-cell-read": Mutant(WrongCellRead, "EQV-1"),
    "vtlb-every-store-exits": Mutant(EveryStoreExits, "EFF-1"),
    "vtlb-waits-as-the-guests-fault": Mutant(VtlbWaitsAsTheGuestsFault, "EQV-2"),
    "vtlb-filled-read-only-for-ever": Mutant(FilledReadOnlyForEver, "EFF-2"),
    "vtlb-tables-from-the-pool": Mutant(TablesFromThePool, "RES-2"),
}
"""By name."""
