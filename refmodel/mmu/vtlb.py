"""The virtual TLB: the monitor keeps shadow tables that behave as a TLB would, and nothing of the guest's is traced.

The processor walks a shadow table, one for each vCPU, which leads linear pages straight to machine frames. It starts empty. A
fault on it is *hidden* if the guest's own table lets the access through: the monitor then fills the entry in, from the guest's
table and the p2m; otherwise the fault is the guest's own, and is given to it. The guest edits its tables as it likes. When it says
INVLPG or MOV CR3, as it must for a real TLB's sake, the shadow table forgets as a TLB does. (SDM Vol. 3C
chapter 32, *virtual TLB*.)

While CR0.PG is clear the monitor carries the accesses out. The shadow tables lie in memory of the monitor's own, not in the frames
that guests are given.
"""

from refmodel.bare import Event, Reply
from refmodel.language import Total, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell, Mode, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.replies import Attempt, Filled, Result
from refmodel.mmu.shadow import ShadowEntry, ShadowMmu, hides_from_smap, lets
from refmodel.monitor.p2m import Supply


class VirtualTlbMmu(ShadowMmu):
    shadow: Total[tuple[Vm, Vcpu, Index], ShadowEntry]
    """The shadow table of each vCPU."""

    def walked(self, vm: Vm, vcpu: Vcpu, page: Index) -> ShadowEntry:
        return self.shadow[vm, vcpu, page]

    def walk_bare(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """The entry may be an old one: the bare machine uses the one that it cached when the entry was filled in."""

    # ------------------------------------------------------------ the guest's instructions

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """INVLPG exits: the shadow entry goes, and what the processor remembers of it."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()
        self.shadow[vm, vcpu, page] = ShadowEntry()
        self.tlb[vm, vcpu, page] = ShadowEntry()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """MOV to CR3 and its like exit: the shadow table is emptied, as a TLB would be."""
        reset(self.shadow, lambda entry, v, c, page: v == vm and c == vcpu)
        reset(self.tlb, lambda entry, v, c, page: v == vm and c == vcpu)

    def mode_changes(self, vm: Vm, vcpu: Vcpu, was: Mode, mode: Mode) -> None:
        """MOV to CR0 and CR4 exit: entries were made for the flags as they were. A change of CPL or of AC does not; the processor
        has them."""
        if mode.wp != was.wp or mode.smep != was.smep or mode.smap != was.smap:
            self.forget_linear(vm, vcpu)

    # ------------------------------------------------------------ the monitor

    @pending(
        "EFF-2",
        "If the guest's PTE and the p2m grant the rights that an access needs, a page fault fills in the missing shadow entry.",
        until="page_fault",
    )
    def entry_not_filled(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> bool:
        return self.lacks_entry(vm, vcpu, page, access) and not self.needs_wp_clear(vm, vcpu, page, access)

    @pending(
        "EFF-2",
        "If a supervisor's store is allowed because WP is clear, a page fault fills in its shadow entry, unless the "
        "store must be emulated.",
        until="page_fault",
    )
    def supervisor_entry_not_filled(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> bool:
        return (
            self.lacks_entry(vm, vcpu, page, access)
            and self.needs_wp_clear(vm, vcpu, page, access)
            and not self.takes_emulation(self.guest_entry(vm, vcpu, page), access, self.paging[vm, vcpu].mode)
        )

    def needs_wp_clear(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> bool:
        """Whether an access is a store to what the guest's table has as read-only."""
        return access == Access.WRITE and not self.guest_entry(vm, vcpu, page).writable

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        """A page fault on the shadow table: hidden from the guest, or its own."""
        require(self.paging[vm, vcpu].enabled)
        mode = self.paging[vm, vcpu].mode
        require(not lets(self.shadow[vm, vcpu, page], access, mode))
        if self.lacks_table(vm, self.paging[vm, vcpu].root):
            return Filled(Result.FAILED, vm, vcpu, page, access, gfn=self.paging[vm, vcpu].root)
        entry, bare_entry = self.guest_entry(vm, vcpu, page), self.bare_walk(vm, vcpu, page)
        if not permits(entry, access, mode):
            due = self.bare_access(vm, vcpu, bare_entry, page, access, Cell())
            return Filled(Result.REFLECTED, vm, vcpu, page, access, Reply(Event.PAGE_FAULT), due)
        require(not self.takes_emulation(entry, access, mode))
        found = self.supply(vm, entry.gfn, access == Access.WRITE)
        if found == Supply.HOLE:
            due = self.bare_access(vm, vcpu, bare_entry, page, access, Cell())
            return Filled(Result.HOLE, vm, vcpu, page, access, Reply(Event.HOLE), due, entry.gfn)
        if found == Supply.LATER:
            return Filled(Result.FAILED, vm, vcpu, page, access, gfn=entry.gfn)
        self.tlb[vm, vcpu, page] = ShadowEntry()
        self.shadow[vm, vcpu, page] = self.made_for(vm, entry, access, mode)
        self.bare_tlb[vm, vcpu, page] = bare_entry
        return Filled(Result.INSTALLED, vm, vcpu, page, access, gfn=entry.gfn)

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        """The shadow of a guest's entry, such as this access needs it.

        With the guest's WP clear its supervisor may write to what is read-only. It gets an entry that lets it, and keeps users
        out until one comes; and since SMEP does not know any more that the page is a user's, nothing is executed by that entry.
        """
        backing = self.p2m[vm, entry.gfn]
        if access == Access.WRITE and not entry.writable:
            executable = entry.executable and not (entry.user and mode.smep)
            return ShadowEntry(True, backing.mfn, backing.writable, executable, entry.gfn, user=False)
        return ShadowEntry(True, backing.mfn, entry.writable and backing.writable, entry.executable, entry.gfn, entry.user)

    def takes_emulation(self, entry: Cell, access: Access, mode: Mode) -> bool:
        """Whether no entry will do for a store."""
        return hides_from_smap(entry, access, mode)

    @guest
    def emulate_store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Attempt:
        """A store has exited that no entry must let through: the monitor carries it out for the guest."""
        require(self.paging[vm, vcpu].enabled)
        mode = self.paging[vm, vcpu].mode
        require(not lets(self.shadow[vm, vcpu, page], Access.WRITE, mode))
        entry, bare_entry = self.guest_entry(vm, vcpu, page), self.bare_walk(vm, vcpu, page)
        require(permits(entry, Access.WRITE, mode))  # a table that is away permits nothing: a fault brings it
        require(self.takes_emulation(entry, Access.WRITE, mode))
        shown = self.emulate(vm, entry.gfn, offset, Access.WRITE, value)
        if shown.event == Event.EXITED:
            return Attempt(Reply(), Reply(), vcpu, page, Access.WRITE, gfn=entry.gfn)
        self.tlb[vm, vcpu, page] = ShadowEntry()
        due = self.bare_access(vm, vcpu, bare_entry, offset, Access.WRITE, value)
        return Attempt(shown, due, vcpu, page, Access.WRITE, gfn=entry.gfn)

    @operation
    def evict(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """The monitor drops a shadow entry: it can always be made again."""
        require(self.shadow[vm, vcpu, page].present)
        self.shadow[vm, vcpu, page] = ShadowEntry()
        self.tlb[vm, vcpu, page] = ShadowEntry()

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.forget(vm, gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Drop every shadow entry that stands for a guest frame, and make every processor forget it."""
        reset(self.shadow, lambda entry, v, vcpu, page: v == vm and entry.gfn == gfn)
        reset(self.tlb, lambda entry, v, vcpu, page: v == vm and entry.gfn == gfn)
