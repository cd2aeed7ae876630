"""Guests whose tables have two levels, large pages, and accessed and dirty flags: what a monitor does with such tables, and the
interpreter for them. (Their bare machine, and their instructions, are in ``bare_levels``.)

The bare machine marks its tables in its own walks; the monitor has to have marked the guest's by then, however an access is carried
out. A part of an access that is to be tried again may mark entries early, on both machines.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.bare import Event, Reply
from refmodel.bare_levels import LargePageBareMachine, LinearAttempt, path
from refmodel.language import NOTHING, guest, pending, require
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.two_levels import LinearMmu


class Flagged(enum.Enum):
    """Which of the guest's entries was marked."""

    UPPER = "the upper one"
    LEAF = "the leaf"
    NONE = "none now: the page that it lies in is to be had first"


@attrs.frozen
class Marking:
    """What came of marking an entry for an access."""

    shown: ClassVar[None] = None
    """The guest is shown nothing: the access comes later."""

    result: Flagged
    vm: Vm
    vcpu: Vcpu
    upper: Index
    page: Index
    access: Access
    gfn: Gfn
    """The table that the entry lies in, or that is away."""


class LargePageMmu(LargePageBareMachine, LinearMmu):
    """Any MMU for such guests."""

    arbitrary = ("within",)

    def missing_table(self, vm: Vm, vcpu: Vcpu, upper: Index) -> Gfn:
        """The table on the way to a page that is not to be had now; NOTHING if all are there."""
        root = self.paging[vm, vcpu].root
        if self.lacks_table(vm, root):
            return root
        above = self.guest_cell(vm, root, upper)
        if above.present and not above.large and self.lacks_table(vm, above.gfn):
            return above.gfn
        return NOTHING

    def guest_path(self, vm: Vm, above: Cell, page: Index) -> Cell:
        """What an upper entry of the guest's gives for a page, by what its memory holds."""
        if above.large:
            return path(above, self.small(above, page))
        return path(above, self.guest_cell(vm, above.gfn, page))

    # ------------------------------------------------------------ flags

    def unmarked(self, cell: Cell, write: bool, maps: bool) -> bool:
        """Whether an entry has to be marked before it is used: as accessed, or, where it maps the page, as dirty."""
        return not cell.accessed or (maps and write and not cell.dirty)

    @pending(
        "EFF-2",
        "If the p2m allows stores to the root table, the flags that a permitted access needs can be set in the upper guest entry.",
        until="set_flags",
    )
    def upper_entry_not_marked(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        root = self.paging[vm, vcpu].root
        above = self.guest_cell(vm, root, upper)
        return (
            self.may_mark(vm, vcpu, upper, page, access)
            and self.lets_through(vm, root, write=True)
            and self.unmarked(above, access == Access.WRITE, above.large)
        )

    @pending(
        "EFF-2",
        "If the p2m allows stores to the leaf's table, the flags that a permitted access needs can be set in the "
        "guest's leaf entry.",
        until="set_flags",
        after=("upper_entry_not_marked",),
    )
    def leaf_entry_not_marked(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        root, write = self.paging[vm, vcpu].root, access == Access.WRITE
        above = self.guest_cell(vm, root, upper)
        return (
            self.may_mark(vm, vcpu, upper, page, access)
            and self.lets_through(vm, above.gfn, write=True)
            and not above.large
            and (above.accessed or self.lets_through(vm, root, write=True))
            and self.unmarked(self.guest_cell(vm, above.gfn, page), write, maps=True)
        )

    def may_mark(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        """Whether the guest's tables let an access through, so that its entries are marked."""
        here = self.paging[vm, vcpu]
        return here.enabled and permits(self.guest_path(vm, self.guest_cell(vm, here.root, upper), page), access, here.mode)

    @guest
    def set_flags(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> Marking:
        """Mark an entry of the guest's that an access of its uses, the upper one first: a part of the access."""
        require(self.paging[vm, vcpu].enabled)
        table = self.missing_table(vm, vcpu, upper)
        if table != NOTHING:
            return Marking(Flagged.NONE, vm, vcpu, upper, page, access, table)
        root, write = self.paging[vm, vcpu].root, access == Access.WRITE
        above = self.guest_cell(vm, root, upper)
        require(permits(self.guest_path(vm, above, page), access, self.paging[vm, vcpu].mode))
        if self.unmarked(above, write, above.large):
            if self.mark_entry(vm, root, upper, attrs.evolve(above, accessed=True, dirty=above.dirty or (above.large and write))):
                self.bare_mark(vm, root, upper, above.large and write)
                return Marking(Flagged.UPPER, vm, vcpu, upper, page, access, root)
            return Marking(Flagged.NONE, vm, vcpu, upper, page, access, root)
        require(not above.large)
        leaf = self.guest_cell(vm, above.gfn, page)
        require(self.unmarked(leaf, write, maps=True))
        if self.mark_entry(vm, above.gfn, page, attrs.evolve(leaf, accessed=True, dirty=leaf.dirty or write)):
            self.bare_mark(vm, above.gfn, page, write)
            return Marking(Flagged.LEAF, vm, vcpu, upper, page, access, above.gfn)
        return Marking(Flagged.NONE, vm, vcpu, upper, page, access, above.gfn)

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        """Write an entry of the guest's, if its page may be written to; or see to it that it may, and answer False. The monitor is
        a writer like any other: a shared page becomes the guest's own first, a logged one is logged."""
        if not self.p2m[vm, table].writable:
            self.supply(vm, table, write=True)
            return False
        self.access_for_guest(vm, table, index, Access.WRITE, cell)
        return True


class LargePageInterpreterMmu(LargePageMmu):
    """Every access carried out by the monitor, when the entries that it uses are marked; nothing is ever stale."""

    def execute(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> LinearAttempt:
        require(self.paging[vm, vcpu].enabled)
        table = self.missing_table(vm, vcpu, upper)
        if table != NOTHING:
            return LinearAttempt(Reply(), Reply(), vcpu, upper, page, access, table)
        entry = self.guest_path(vm, self.guest_cell(vm, self.paging[vm, vcpu].root, upper), page)
        if not permits(entry, access, self.paging[vm, vcpu].mode):
            due = self.bare_linear(vm, vcpu, upper, page, offset, access, value)
            return LinearAttempt(Reply(Event.PAGE_FAULT), due, vcpu, upper, page, access)
        again = LinearAttempt(Reply(), Reply(), vcpu, upper, page, access, entry.gfn)
        if self.unmarked(entry, access == Access.WRITE, maps=True):
            return again
        shown = self.emulate(vm, entry.gfn, offset, access, value)
        if shown.event == Event.EXITED:
            return again
        due = self.bare_linear(vm, vcpu, upper, page, offset, access, value)
        return LinearAttempt(shown, due, vcpu, upper, page, access, entry.gfn)

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """INVLPG: there is nothing to forget."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, upper, page] = Cell()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """Does nothing: the interpreter caches no translations."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m that could be too permissive."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m."""
