"""Shadow paging whose leaf tables may be out of sync, under guests whose tables have two levels.

Tracing every table costs an exit for every store to one. Most stores go to leaf tables, and most are followed by an invalidation,
because a real TLB needs one. So a leaf table that is stored to is let go: it becomes *unsync*, the guest writes to it natively,
and its shadow may fall behind, as a TLB would. It is brought up to date where a TLB would forget: at INVLPG, at MOV CR3, and when
the table is linked under another root, since an address that was never translated cannot be stale (KVM 65855ed8b034). Root tables
stay traced. (KVM's ``mmu_unsync_walk``; Xen's out-of-sync shadows.)

A leaf table has a shadow for each *role*, the right to write inherited from above: links let everybody write, and leaves carry
what both levels allow. So one guest table reached by a writable and by a read-only path has two shadows. (The right to execute is
left to the processor, which takes it away at either level, and so is the user's right.)
"""

import attrs

from refmodel.bare import Event, Reply
from refmodel.bare_levels import LinearAttempt, combined
from refmodel.language import NOTHING, Total, assign, cached, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.replies import Result
from refmodel.mmu.shadow import ShadowEntry, lets, mirrors
from refmodel.mmu.two_levels import LinearFilled, TwoLevelMmu
from refmodel.monitor.p2m import Supply


@attrs.frozen
class Link:
    """An entry of a root's shadow: it leads to the shadow, in this role, of a leaf table."""

    present: bool = False
    table: Gfn = NOTHING
    writable: bool = False
    executable: bool = False
    user: bool = False


class ShadowUnsyncMmu(TwoLevelMmu):
    traced: Total[tuple[Vm, Gfn], bool]
    """The guest pages that have a shadow as roots. No guest writes to them unseen."""
    links: Total[tuple[Vm, Gfn, Index], Link]
    """The shadow of each."""
    synced: Total[tuple[Vm, Gfn], bool]
    """The guest pages that have shadows as leaf tables and are write-protected, so that these agree with them."""
    unsync: Total[tuple[Vm, Gfn], bool]
    """The ones that have shadows and are not."""
    leaves: Total[tuple[Vm, Gfn, bool, Index], ShadowEntry]
    """The shadows of leaf tables, one for each role."""
    tlb: Total[tuple[Vm, Vcpu, Index, Index], ShadowEntry]

    # ------------------------------------------------------------ the hardware

    def walked(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> ShadowEntry:
        """What the processor finds in the shadow tables."""
        link = self.links[vm, self.paging[vm, vcpu].root, upper]
        entry = self.leaves[vm, link.table, link.writable, page]
        return attrs.evolve(
            entry,
            present=entry.present and link.present,
            executable=entry.executable and link.executable,
            user=entry.user and link.user,
        )

    def execute(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> LinearAttempt:
        """An access by linear address: from the processor's cache, or by a walk of the shadow tables."""
        require(self.paging[vm, vcpu].enabled)
        entry = self.tlb[vm, vcpu, upper, page]
        mode = self.paging[vm, vcpu].mode
        if not (lets(entry, access, mode) and cached("translation")):
            entry = self.walked(vm, vcpu, upper, page)
            if not lets(entry, access, mode):
                self.tlb[vm, vcpu, upper, page] = ShadowEntry()  # a page fault drops what is cached for its address
                return LinearAttempt(Reply(), Reply(), vcpu, upper, page, access)
            self.tlb[vm, vcpu, upper, page] = entry
            now = self.bare_walk(vm, vcpu, upper, page)
            fresh = mirrors(entry, now)
            self.bare_tlb[vm, vcpu, upper, page] = now if fresh else self.bare_before(vm, vcpu, upper, page)
        if access == Access.WRITE:
            self.keep_old(vm, entry.gfn, offset)
        due = self.bare_access(vm, vcpu, self.bare_tlb[vm, vcpu, upper, page], offset, access, value)
        return LinearAttempt(self.touch(entry.mfn, offset, access, value), due, vcpu, upper, page, access, entry.gfn)

    def keep_old(self, vm: Vm, gfn: Gfn, index: Index) -> None:
        """A guest's page is about to change. If it is an unsync table whose shadow agrees with it so far, then from now on the
        shadow shows the old entry, and so may every processor that could walk there: it may have cached it."""
        old = self.bare_cell(vm, gfn, index)
        assign(
            self.bare_old,
            lambda was, v, vcpu, upper, page: (
                v == vm and page == index and self.unsync[v, gfn] and self.shows(v, vcpu, upper, gfn, page, old)
            ),
            old,
        )

    def shows(self, vm: Vm, vcpu: Vcpu, upper: Index, table: Gfn, page: Index, leaf: Cell) -> bool:
        """Whether a processor that walks the shadows finds what this entry of a leaf table gives."""
        link = self.links[vm, self.paging[vm, vcpu].root, upper]
        entry = self.walked(vm, vcpu, upper, page)
        return (
            link.present
            and link.table == table
            and entry.present
            and mirrors(entry, combined(Cell(True, link.writable, link.executable, user=link.user), leaf))
        )

    # ------------------------------------------------------------ the guest's instructions

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """INVLPG exits: what the shadow has for the address is brought up to date, here by being dropped."""
        require(self.paging[vm, vcpu].enabled)
        link = self.links[vm, self.paging[vm, vcpu].root, upper]
        if link.present and self.unsync[vm, link.table]:
            self.leaves[vm, link.table, link.writable, page] = ShadowEntry()
        self.tlb[vm, vcpu, upper, page] = ShadowEntry()
        self.bare_tlb[vm, vcpu, upper, page] = Cell()
        self.bare_old[vm, vcpu, upper, page] = Cell()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """MOV to CR3 and its like exit: every unsync table is brought up to date."""
        reset(self.leaves, lambda entry, v, table, role, page: v == vm and self.unsync[v, table])
        reset(self.tlb, lambda entry, v, c, upper, page: v == vm and c == vcpu)

    # ------------------------------------------------------------ the monitor

    @pending(
        "EFF-2",
        "If the guest's tables and the p2m allow an access that needs no emulation, a page fault creates the "
        "missing shadow of the root table.",
        until="page_fault",
    )
    def root_not_traced(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        return self.can_be_filled(vm, vcpu, upper, page, access) and not self.traced[vm, self.paging[vm, vcpu].root]

    @pending(
        "EFF-2",
        "If the guest's tables and the p2m allow an access that needs no emulation, a page fault adds the missing "
        "link to the leaf's shadow.",
        until="page_fault",
    )
    def table_not_linked(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        return (
            self.can_be_filled(vm, vcpu, upper, page, access)
            and self.traced[vm, self.paging[vm, vcpu].root]
            and not self.is_linked(vm, vcpu, upper)
        )

    @pending(
        "EFF-2",
        "If the guest's tables and the p2m allow a load or fetch, a page fault fills in the missing shadow entry.",
        until="page_fault",
    )
    def entry_not_filled(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        return access != Access.WRITE and self.needs_entry(vm, vcpu, upper, page, access)

    @pending(
        "EFF-2",
        "If the guest's tables and the p2m allow a store that needs no emulation, a page fault fills in the missing shadow entry.",
        until="page_fault",
    )
    def writable_entry_not_filled(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        return access == Access.WRITE and self.needs_entry(vm, vcpu, upper, page, access)

    def needs_entry(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        """Whether all that an access lacks is an entry in the shadow of a leaf table."""
        return (
            self.can_be_filled(vm, vcpu, upper, page, access)
            and self.traced[vm, self.paging[vm, vcpu].root]
            and self.is_linked(vm, vcpu, upper)
        )

    def can_be_filled(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        """Whether an access exits for want of a shadow only, and does not have to be carried out by the monitor."""
        here, write = self.paging[vm, vcpu], access == Access.WRITE
        above = self.guest_cell(vm, here.root, upper)
        entry = combined(above, self.guest_cell(vm, above.gfn, page))
        return (
            here.enabled
            and permits(entry, access, here.mode)
            and self.lets_through(vm, entry.gfn, write)
            and not lets(self.walked(vm, vcpu, upper, page), access, here.mode)
            and (not write or (entry.writable and not self.is_root(vm, here.root, entry.gfn)))
        )

    def is_linked(self, vm: Vm, vcpu: Vcpu, upper: Index) -> bool:
        """Whether the shadow of a vCPU's root leads on as the guest's entry does."""
        root = self.paging[vm, vcpu].root
        return self.links[vm, root, upper] == self.link_for(self.guest_cell(vm, root, upper))

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> LinearFilled:
        """A page fault on the shadow tables: hidden from the guest, or its own."""
        require(self.paging[vm, vcpu].enabled)
        mode = self.paging[vm, vcpu].mode
        require(not lets(self.walked(vm, vcpu, upper, page), access, mode))
        table = self.missing_table(vm, vcpu, upper)
        if table != NOTHING:
            return LinearFilled(Result.FAILED, vm, vcpu, upper, page, access, gfn=table)
        root, bare = self.paging[vm, vcpu].root, self.bare_walk(vm, vcpu, upper, page)
        above = self.guest_cell(vm, root, upper)
        leaf = self.guest_cell(vm, above.gfn, page)
        entry = combined(above, leaf)
        if not permits(entry, access, mode):
            due = self.bare_access(vm, vcpu, bare, page, access, Cell())
            return LinearFilled(Result.REFLECTED, vm, vcpu, upper, page, access, Reply(Event.PAGE_FAULT), due)
        write = access == Access.WRITE
        store_to_root = write and self.has_memory(vm, leaf.gfn) and self.is_root(vm, root, leaf.gfn)
        require(not store_to_root)  # emulate_store's business
        require(entry.writable or not write)  # so is a supervisor's store with WP clear
        found = self.supply(vm, leaf.gfn, write)
        if found == Supply.HOLE:
            due = self.bare_access(vm, vcpu, bare, page, access, Cell())
            return LinearFilled(Result.HOLE, vm, vcpu, upper, page, access, Reply(Event.HOLE), due, leaf.gfn)
        if found == Supply.LATER:
            return LinearFilled(Result.FAILED, vm, vcpu, upper, page, access, gfn=leaf.gfn)
        self.trace(vm, root)
        self.link(vm, root, upper, above)
        if write and self.synced[vm, leaf.gfn]:
            self.let_go(vm, leaf.gfn)
        self.fill(vm, above, page, leaf)
        self.tlb[vm, vcpu, upper, page] = ShadowEntry()
        return LinearFilled(Result.INSTALLED, vm, vcpu, upper, page, access, gfn=leaf.gfn)

    def is_root(self, vm: Vm, root: Gfn, gfn: Gfn) -> bool:
        """Whether a page is shadowed as a root, or is to be by the fault at hand."""
        return self.traced[vm, gfn] or gfn == root

    def trace(self, vm: Vm, gfn: Gfn) -> None:
        """From now on a page has a shadow as a root, and no translation lets the guest write to it; if it is an unsync leaf
        table too, it is one no longer."""
        if not self.traced[vm, gfn]:
            self.traced[vm, gfn] = True
            self.protect(vm, gfn)
            reset(self.leaves, lambda entry, v, t, role, page: v == vm and t == gfn and self.unsync[v, t])
            self.synced[vm, gfn] = self.synced[vm, gfn] or self.unsync[vm, gfn]
            self.unsync[vm, gfn] = False

    def link(self, vm: Vm, root: Gfn, upper: Index, above: Cell) -> None:
        """Lead a root's shadow to that of a leaf table. One that is unsync is brought up to date first; a new one is
        write-protected."""
        table, new = above.gfn, self.link_for(above)
        if self.links[vm, root, upper] == new:
            return
        reset(self.leaves, lambda entry, v, t, role, page: v == vm and t == table and self.unsync[v, t])
        if not self.unsync[vm, table] and not self.synced[vm, table]:
            self.synced[vm, table] = True
            self.protect(vm, table)
        self.links[vm, root, upper] = new

    def link_for(self, above: Cell) -> Link:
        """The link that an upper entry of the guest's gives."""
        return Link(True, above.gfn, above.writable, above.executable, above.user)

    def sync(self, vm: Vm, table: Gfn) -> None:
        """An unsync table's shadows are brought up to date, here by being emptied."""
        reset(self.leaves, lambda entry, v, t, role, page: v == vm and t == table)

    def let_go(self, vm: Vm, gfn: Gfn) -> None:
        """A leaf table is unsync from now on, and can be written to."""
        self.synced[vm, gfn] = False
        self.unsync[vm, gfn] = True

    def fill(self, vm: Vm, above: Cell, page: Index, leaf: Cell) -> None:
        """Make a leaf entry from the guest's: writable only where the page is, and is no table that is traced or in sync."""
        backing = self.p2m[vm, leaf.gfn]
        kept = self.traced[vm, leaf.gfn] or self.synced[vm, leaf.gfn]
        writable = above.writable and leaf.writable and backing.writable and not kept
        self.leaves[vm, above.gfn, above.writable, page] = ShadowEntry(
            True, backing.mfn, writable, leaf.executable, leaf.gfn, leaf.user
        )

    @operation
    def resync(self, vm: Vm, table: Gfn) -> None:
        """The monitor write-protects an unsync table again."""
        require(self.unsync[vm, table])
        self.sync(vm, table)
        self.unsync[vm, table] = False
        self.synced[vm, table] = True
        self.protect(vm, table)

    @guest
    def emulate_store(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, value: Cell) -> LinearAttempt:
        """A store has exited that the processor must not make, to a traced root, or a supervisor's with WP clear to what is
        read-only: the monitor carries it out for the guest."""
        require(self.paging[vm, vcpu].enabled)
        mode = self.paging[vm, vcpu].mode
        require(not lets(self.walked(vm, vcpu, upper, page), Access.WRITE, mode))
        root, bare = self.paging[vm, vcpu].root, self.bare_walk(vm, vcpu, upper, page)
        above = self.guest_cell(vm, root, upper)
        entry = combined(above, self.guest_cell(vm, above.gfn, page))
        require(permits(entry, Access.WRITE, mode))  # a table that is away permits nothing: a fault brings it
        require(self.is_root(vm, root, entry.gfn) or not entry.writable)
        shown = self.emulate(vm, entry.gfn, offset, Access.WRITE, value)
        if shown.event == Event.EXITED:
            return LinearAttempt(Reply(), Reply(), vcpu, upper, page, Access.WRITE, entry.gfn)
        self.tlb[vm, vcpu, upper, page] = ShadowEntry()
        due = self.bare_access(vm, vcpu, bare, offset, Access.WRITE, value)
        return LinearAttempt(shown, due, vcpu, upper, page, Access.WRITE, entry.gfn)

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """Whoever changes a table for the guest drops what its shadow has for that entry, or keeps it as a stale one."""
        self.keep_old(vm, gfn, offset)
        self.links[vm, gfn, offset] = Link()
        if self.synced[vm, gfn]:
            self.leaves[vm, gfn, False, offset] = ShadowEntry()
            self.leaves[vm, gfn, True, offset] = ShadowEntry()

    @operation
    def drop_shadow(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor reclaims the shadows of a page: they can always be made again."""
        require(self.traced[vm, gfn] or self.synced[vm, gfn] or self.unsync[vm, gfn])
        self.drop_tables(vm, gfn)

    def drop_tables(self, vm: Vm, gfn: Gfn) -> None:
        """A page is no table any more, as far as the monitor knows: its shadows go, and what links to them."""
        self.traced[vm, gfn] = False
        self.synced[vm, gfn] = False
        self.unsync[vm, gfn] = False
        reset(self.links, lambda link, v, root, upper: v == vm and (root == gfn or link.table == gfn))
        self.sync(vm, gfn)

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Take the right to write to a page from every shadow entry and every processor."""
        reset(self.leaves, lambda entry, v, table, role, page: v == vm and entry.gfn == gfn)
        reset(self.tlb, lambda entry, v, vcpu, upper, page: v == vm and entry.gfn == gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """A page goes: so do the entries that lead to it, and the shadows made of it."""
        self.protect(vm, gfn)
        self.drop_tables(vm, gfn)
