"""Guests whose tables have two levels: what comes of their exits, and the interpreter for them. (Their bare machine, and their
instructions, are in ``bare_levels``.)"""

from typing import ClassVar

import attrs

from refmodel.bare import Event, Reply
from refmodel.bare_levels import LinearAttempt, LinearInstructions, TwoLevelBareMachine, combined
from refmodel.language import NOTHING, guest, require
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.control_registers import ControlRegisters
from refmodel.mmu.interpreter import PhysicalEmulation
from refmodel.mmu.replies import Result, told


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
    gfn: Gfn = NOTHING
    """The guest-physical page that was asked for: where the tables lead, or a table that is away."""

    @property
    def shown(self) -> Reply:
        return told(self.result)


class LinearMmu(LinearInstructions, PhysicalEmulation, ControlRegisters):
    """Any MMU for guests whose tables have two levels."""

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"page_fault": ("access",), "emulate_store": ("store",)}


class TwoLevelMmu(TwoLevelBareMachine, LinearMmu):
    """Any MMU for guests without large pages."""

    def missing_table(self, vm: Vm, vcpu: Vcpu, upper: Index) -> Gfn:
        """The table on the way to an entry that is not to be had now; NOTHING if both are there."""
        root = self.paging[vm, vcpu].root
        if self.lacks_table(vm, root):
            return root
        above = self.guest_cell(vm, root, upper)
        if above.present and self.lacks_table(vm, above.gfn):
            return above.gfn
        return NOTHING


class TwoLevelInterpreterMmu(TwoLevelMmu):
    """Every access carried out by the monitor; nothing is ever stale."""

    def execute(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> LinearAttempt:
        require(self.paging[vm, vcpu].enabled)
        table = self.missing_table(vm, vcpu, upper)
        if table != NOTHING:
            return LinearAttempt(Reply(), Reply(), vcpu, upper, page, access, table)
        above = self.guest_cell(vm, self.paging[vm, vcpu].root, upper)
        entry, bare = combined(above, self.guest_cell(vm, above.gfn, page)), self.bare_walk(vm, vcpu, upper, page)
        if not permits(entry, access, self.paging[vm, vcpu].mode):
            due = self.bare_access(vm, vcpu, bare, offset, access, value)
            return LinearAttempt(Reply(Event.PAGE_FAULT), due, vcpu, upper, page, access)
        shown = self.emulate(vm, entry.gfn, offset, access, value)
        if shown.event == Event.EXITED:
            return LinearAttempt(Reply(), Reply(), vcpu, upper, page, access, entry.gfn)
        due = self.bare_access(vm, vcpu, bare, offset, access, value)
        return LinearAttempt(shown, due, vcpu, upper, page, access, entry.gfn)

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """INVLPG: there is nothing to forget."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, upper, page] = Cell()
        self.bare_old[vm, vcpu, upper, page] = Cell()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """Does nothing: the interpreter caches no translations."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m that could be too permissive."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m."""
