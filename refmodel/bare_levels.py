"""The bare machine for guests whose tables have two levels, with large pages or without, and what the instructions of guests are
that touch memory by such tables, or as a guest's guest. Like all of the bare machine this states what is due.

An upper entry with PS set maps as much as a leaf table could, with its own rights and flags. Where the small pages of a large one
lie is an alignment and an addition; all that matters here is that the guest cannot change it.

A processor marks each entry that it uses as accessed, and the one that maps a page as dirty when it writes to that page
(SDM Vol. 3A 4.8). The flags are in the tables, so in the guest's memory; what a processor has cached was marked when it was cached.
"""

import attrs

from refmodel.bare import BareMachine, BareMemory, Reply
from refmodel.language import NOTHING, Design, Total, guest, require, reset
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.replies import Attempt


@attrs.frozen
class LinearAttempt:
    """One instruction by linear address on both machines. An exit is for that address."""

    shown: Reply
    due: Reply
    vcpu: Vcpu
    upper: Index
    page: Index
    access: Access
    gfn: Gfn = NOTHING
    """The guest-physical page that it is for, where the tables led to one."""


def combined(upper: Cell, leaf: Cell) -> Cell:
    """The rights that both levels give, to the frame that the lower one names."""
    return Cell(
        upper.present and leaf.present,
        upper.writable and leaf.writable,
        upper.executable and leaf.executable,
        leaf.gfn,
        upper.user and leaf.user,
    )


def path(upper: Cell, leaf: Cell) -> Cell:
    """What two levels give together: the rights that both give, the flags of the one that maps, and accessed if both are."""
    return Cell(
        upper.present and leaf.present,
        upper.writable and leaf.writable,
        upper.executable and leaf.executable,
        leaf.gfn,
        upper.user and leaf.user,
        upper.accessed and leaf.accessed,
        leaf.dirty,
    )


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


# ---------------------------------------------------------------- instructions


class LinearInstructions(Design):
    """The instructions that touch memory by tables of two levels."""

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


class NestedInstructions(Design):
    """The instructions of a guest's guest that touch memory."""

    def execute_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Attempt:
        """An access by L2."""
        raise NotImplementedError

    @guest
    def load_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        return self.execute_l2(vm, vcpu, page, offset, Access.READ, Cell())

    @guest
    def store_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Attempt:
        return self.execute_l2(vm, vcpu, page, offset, Access.WRITE, value)

    def save_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        """What VMSAVE does to memory, whose operand is an address of L2's: a store, of what we call nothing."""
        return self.execute_l2(vm, vcpu, page, offset, Access.WRITE, Cell())

    @guest
    def fetch_l2(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        return self.execute_l2(vm, vcpu, page, offset, Access.FETCH, Cell())


class L1Instructions(BareMachine):
    """What L1 does with L2, which runs as another vCPU."""

    @guest
    def vmresume(self, vm: Vm, vcpu: Vcpu, l2: Vcpu, root: Gfn) -> None:
        """L1 enters L2 with a shadow table as the root. Whatever is cached for L2 stays, as L1 expects under a VPID."""
        require(vcpu != l2)
        self.paging[vm, l2] = attrs.evolve(self.paging[vm, l2], enabled=True, root=root)

    @guest
    def l1_invvpid(self, vm: Vm, vcpu: Vcpu, l2: Vcpu) -> None:
        """L1 has changed a shadow table, and wants L2's translations forgotten."""
        require(vcpu != l2)
        self.bare_flush(vm, l2)
        self.invalidate_l2(vm, l2)

    def invalidate_l2(self, vm: Vm, l2: Vcpu) -> None:
        """The monitored processor forgets them."""
