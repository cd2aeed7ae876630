"""Guests whose tables have two levels, large pages, and accessed and dirty flags: the bare machine, what a monitor does with such
tables, and the interpreter for them.

An upper entry with PS set maps as much as a leaf table could, with its own rights and flags. Where the small pages of a large one
lie is an alignment and an addition; all that matters here is that the guest cannot change it.

A processor marks each entry that it uses as accessed, and the one that maps a page as dirty when it writes to that page
(SDM Vol. 3A 4.8). The flags are in the tables, so in the guest's memory. The bare machine marks its tables in its own walks; the
monitor has to have marked the guest's by then, however an access is carried out. A part of an access that is to be tried again may
mark entries early, on both machines. What a processor has cached was marked when it was cached.
"""

import attrs

from refmodel.bare import BareMemory, Event, Reply
from refmodel.language import Total, guest, require, reset
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.two_levels import LinearAttempt, LinearMmu
from refmodel.monitor.frames import Frames


def path(upper: Cell, leaf: Cell) -> Cell:
    """What two levels give together: the rights that both give, the flags of the one that maps, and accessed if both are."""
    return Cell(upper.present and leaf.present, upper.writable and leaf.writable, upper.executable and leaf.executable, leaf.gfn,
                upper.user and leaf.user, upper.accessed and leaf.accessed, leaf.dirty)


class LargePageBareMachine(BareMemory):
    within: Total[tuple[Gfn, Index], Gfn]
    """Where the small pages of a large one lie, from the frame that its entry names."""
    bare_tlb: Total[tuple[Vm, Vcpu, Index, Index], Cell]
    """The translations that the monitored processor has cached, as the guest's tables gave them then."""

    def small(self, upper: Cell, page: Index) -> Cell:
        """What a leaf entry would have to be for a page of a large one, if there were one."""
        return Cell(True, True, True, self.within[upper.gfn, page], True, True, upper.dirty)

    def bare_walk(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Cell:
        """What the guest's tables say now."""
        above = self.bare_cell(vm, self.paging[vm, vcpu].root, upper)
        if above.large:
            return path(above, self.small(above, page))
        return path(above, self.bare_cell(vm, above.gfn, page))

    def bare_flush(self, vm: Vm, vcpu: Vcpu) -> None:
        reset(self.bare_tlb, lambda cell, v, c, upper, page: v == vm and c == vcpu)

    def bare_mark(self, vm: Vm, table: Gfn, index: Index, write: bool) -> None:
        """The bare machine marks an entry that it uses: as accessed, and, if it writes to the page that this maps, as dirty."""
        cell = self.bare_cell(vm, table, index)
        if self.plugged[vm, table] and (not cell.accessed or (write and not cell.dirty)):
            marked = attrs.evolve(cell, accessed=True, dirty=cell.dirty or write)
            self.bare_memory[vm, table] = self.bare_memory[vm, table].put(index, marked)

    def bare_mark_path(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> None:
        """The bare machine marks all entries that an access uses."""
        root, write = self.paging[vm, vcpu].root, access == Access.WRITE
        above = self.bare_cell(vm, root, upper)
        self.bare_mark(vm, root, upper, write and above.large)
        if not above.large:
            self.bare_mark(vm, above.gfn, page, write)

    def bare_fill(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> None:
        """The bare machine walks for an access, and caches what it finds. It marks what it uses first: nothing is cached of an
        entry that is not accessed (SDM Vol. 3A 4.10.4.3)."""
        self.bare_mark_path(vm, vcpu, upper, page, access)
        self.bare_tlb[vm, vcpu, upper, page] = self.bare_walk(vm, vcpu, upper, page)

    def bare_linear(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> Reply:
        """The bare machine carries an access out by a walk of its tables."""
        entry = self.bare_walk(vm, vcpu, upper, page)
        if permits(entry, access, self.paging[vm, vcpu].mode):
            self.bare_mark_path(vm, vcpu, upper, page, access)
        return self.bare_access(vm, vcpu, entry, offset, access, value)


class LargePageMmu(LargePageBareMachine, LinearMmu):
    """Any MMU for such guests."""

    arbitrary = (*Frames.arbitrary, "within")

    def lacks_tables(self, vm: Vm, vcpu: Vcpu, upper: Index) -> bool:
        """Whether one of the tables on the way to a page is not to be had now."""
        root = self.paging[vm, vcpu].root
        if self.lacks_table(vm, root):
            return True
        above = self.guest_cell(vm, root, upper)
        return above.present and not above.large and self.lacks_table(vm, above.gfn)

    def guest_path(self, vm: Vm, above: Cell, page: Index) -> Cell:
        """What an upper entry of the guest's gives for a page, by what its memory holds."""
        if above.large:
            return path(above, self.small(above, page))
        return path(above, self.guest_cell(vm, above.gfn, page))

    # ------------------------------------------------------------ flags

    def unmarked(self, cell: Cell, write: bool, maps: bool) -> bool:
        """Whether an entry has to be marked before it is used: as accessed, or, where it maps the page, as dirty."""
        return not cell.accessed or (maps and write and not cell.dirty)

    @guest
    def set_flags(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> None:
        """Mark an entry of the guest's that an access of its uses, the upper one first: a part of the access."""
        require(self.paging[vm, vcpu].enabled)
        if self.lacks_tables(vm, vcpu, upper):
            return
        root, write = self.paging[vm, vcpu].root, access == Access.WRITE
        above = self.guest_cell(vm, root, upper)
        require(permits(self.guest_path(vm, above, page), access, self.paging[vm, vcpu].mode))
        if self.unmarked(above, write, above.large):
            if self.mark_entry(vm, root, upper, attrs.evolve(above, accessed=True, dirty=above.dirty or (above.large and write))):
                self.bare_mark(vm, root, upper, above.large and write)
            return
        require(not above.large)
        leaf = self.guest_cell(vm, above.gfn, page)
        require(self.unmarked(leaf, write, maps=True))
        if self.mark_entry(vm, above.gfn, page, attrs.evolve(leaf, accessed=True, dirty=leaf.dirty or write)):
            self.bare_mark(vm, above.gfn, page, write)

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
        again = LinearAttempt(Reply(), Reply(), vcpu, upper, page, access)
        if self.lacks_tables(vm, vcpu, upper):
            return again
        entry = self.guest_path(vm, self.guest_cell(vm, self.paging[vm, vcpu].root, upper), page)
        if not permits(entry, access, self.paging[vm, vcpu].mode):
            due = self.bare_linear(vm, vcpu, upper, page, offset, access, value)
            return LinearAttempt(Reply(Event.PAGE_FAULT), due, vcpu, upper, page, access)
        if self.unmarked(entry, access == Access.WRITE, maps=True):
            return again
        shown = self.emulate(vm, entry.gfn, offset, access, value)
        if shown.event == Event.EXITED:
            return again
        return LinearAttempt(shown, self.bare_linear(vm, vcpu, upper, page, offset, access, value), vcpu, upper, page, access)

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """INVLPG: there is nothing to forget."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, upper, page] = Cell()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """Nor is there here."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m that could be too permissive."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m."""
