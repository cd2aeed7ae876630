"""Guests whose tables have two levels: the bare machine, what comes of their instructions, and the interpreter for them."""

import attrs

from refmodel.bare import BareMemory, Event, Reply
from refmodel.language import Total, guest, require, reset
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.control_registers import ControlRegisters
from refmodel.mmu.interpreter import PhysicalEmulation
from refmodel.mmu.replies import Result


@attrs.frozen
class LinearAttempt:
    """One instruction by linear address on both machines. An exit is for that address."""

    shown: Reply
    due: Reply
    vcpu: Vcpu
    upper: Index
    page: Index
    access: Access


@attrs.frozen
class LinearFilled:
    """What came of an exit for a linear address; where the fault was the guest's own, what it is shown and what was due."""

    result: Result
    vm: Vm
    vcpu: Vcpu
    upper: Index
    page: Index
    access: Access
    reflected: Reply = Reply()
    due: Reply = Reply()


def combined(upper: Cell, leaf: Cell) -> Cell:
    """The rights that both levels give, to the frame that the lower one names."""
    return Cell(upper.present and leaf.present, upper.writable and leaf.writable, upper.executable and leaf.executable, leaf.gfn,
                upper.user and leaf.user)


class TwoLevelBareMachine(BareMemory):
    """The bare machine under tables of two levels. Two of the translations are written down that a processor may have cached."""

    bare_tlb: Total[tuple[Vm, Vcpu, Index, Index], Cell]
    """The one that the monitored processor uses now."""
    bare_old: Total[tuple[Vm, Vcpu, Index, Index], Cell]
    """One that it might have cached before the guest changed its leaf table, whose entry this is: processors may read ahead."""

    def bare_upper(self, vm: Vm, vcpu: Vcpu, upper: Index) -> Cell:
        return self.bare_cell(vm, self.paging[vm, vcpu].root, upper)

    def bare_walk(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Cell:
        """What the guest's tables say now."""
        above = self.bare_upper(vm, vcpu, upper)
        return combined(above, self.bare_cell(vm, above.gfn, page))

    def bare_before(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Cell:
        """What they said before a leaf table was changed, as the processor may have cached it."""
        return combined(self.bare_upper(vm, vcpu, upper), self.bare_old[vm, vcpu, upper, page])

    def bare_flush(self, vm: Vm, vcpu: Vcpu) -> None:
        reset(self.bare_tlb, lambda cell, v, c, upper, page: v == vm and c == vcpu)
        reset(self.bare_old, lambda cell, v, c, upper, page: v == vm and c == vcpu)


class LinearMmu(PhysicalEmulation, ControlRegisters):
    """Any MMU for guests whose tables have two levels: the instructions that touch memory."""

    def execute(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> LinearAttempt:
        """An access by linear address."""
        raise NotImplementedError

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index) -> LinearAttempt:
        return self.execute(vm, vcpu, upper, page, offset, Access.READ, Cell())

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, value: Cell) -> LinearAttempt:
        return self.execute(vm, vcpu, upper, page, offset, Access.WRITE, value)

    @guest
    def fetch(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index) -> LinearAttempt:
        return self.execute(vm, vcpu, upper, page, offset, Access.FETCH, Cell())


class TwoLevelMmu(TwoLevelBareMachine, LinearMmu):
    """Any MMU for guests without large pages."""

    def lacks_tables(self, vm: Vm, vcpu: Vcpu, upper: Index) -> bool:
        """Whether one of the tables on the way to an entry is not to be had now."""
        root = self.paging[vm, vcpu].root
        if self.lacks_table(vm, root):
            return True
        above = self.guest_cell(vm, root, upper)
        return above.present and self.lacks_table(vm, above.gfn)


class TwoLevelInterpreterMmu(TwoLevelMmu):
    """Every access carried out by the monitor; nothing is ever stale."""

    def execute(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> LinearAttempt:
        require(self.paging[vm, vcpu].enabled)
        if self.lacks_tables(vm, vcpu, upper):
            return LinearAttempt(Reply(), Reply(), vcpu, upper, page, access)
        above = self.guest_cell(vm, self.paging[vm, vcpu].root, upper)
        entry, bare = combined(above, self.guest_cell(vm, above.gfn, page)), self.bare_walk(vm, vcpu, upper, page)
        if not permits(entry, access, self.paging[vm, vcpu].mode):
            due = self.bare_access(vm, vcpu, bare, offset, access, value)
            return LinearAttempt(Reply(Event.PAGE_FAULT), due, vcpu, upper, page, access)
        shown = self.emulate(vm, entry.gfn, offset, access, value)
        if shown.event == Event.EXITED:
            return LinearAttempt(Reply(), Reply(), vcpu, upper, page, access)
        return LinearAttempt(shown, self.bare_access(vm, vcpu, bare, offset, access, value), vcpu, upper, page, access)

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """INVLPG: there is nothing to forget."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, upper, page] = Cell()
        self.bare_old[vm, vcpu, upper, page] = Cell()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """Nor is there here."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m that could be too permissive."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m."""
