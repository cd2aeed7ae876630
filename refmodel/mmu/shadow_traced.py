"""Shadow paging with traced tables: shadow tables mirror the guest's, which are write-protected, so that they never part.

Each page that a guest uses as a root table gets a shadow table, whose entries lead straight to machine frames. While it has one it
is *traced*: no translation lets the guest write to it, so every store to it exits, and the monitor carries the store out and
drops the shadow entry it was mirrored by. A shadow entry therefore always agrees with the guest's entry as it stands. Shadow
tables of several roots are kept side by side, so MOV CR3 finds the entries made before; what the processor has cached goes, as it
must. (Adams and Agesen, ASPLOS 2006, section 3: *tracing*.)

While CR0.PG is clear the monitor carries the accesses out. The shadow tables lie in memory of the monitor's own, not in the frames
that guests are given. A guest's table has one level here: the geometry's choice.
"""

from refmodel.bare import Event, Reply
from refmodel.language import Total, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.replies import Attempt, Filled, Result
from refmodel.mmu.shadow import ShadowEntry, ShadowMmu, lets
from refmodel.monitor.p2m import Supply


class ShadowTracedMmu(ShadowMmu):
    traced: Total[tuple[Vm, Gfn], bool]
    """The guest pages that have a shadow table."""
    mirror: Total[tuple[Vm, Gfn, Index], ShadowEntry]
    """The shadow table of each."""

    def walked(self, vm: Vm, vcpu: Vcpu, page: Index) -> ShadowEntry:
        return self.mirror[vm, self.paging[vm, vcpu].root, page]

    def walk_bare(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """The entry mirrors the guest's as it stands, so the bare machine walks too."""
        self.bare_tlb[vm, vcpu, page] = self.bare_walk(vm, vcpu, page)

    # ------------------------------------------------------------ the guest's instructions

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """INVLPG runs natively: the shadow entry agrees with the guest's already, only the processor has to forget."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()
        self.tlb[vm, vcpu, page] = ShadowEntry()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """The processor has to forget; shadow tables stay, those of roots that are not loaded too."""
        reset(self.tlb, lambda entry, v, c, page: v == vm and c == vcpu)

    # ------------------------------------------------------------ the monitor

    @pending(
        "EFF-2",
        "If the guest's table and the p2m allow an access that needs no emulation, a page fault creates the missing "
        "shadow of the root table.",
        until="page_fault",
    )
    def root_not_traced(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> bool:
        return not self.traced[vm, self.paging[vm, vcpu].root] and self.can_be_filled(vm, vcpu, page, access)

    @pending(
        "EFF-2",
        "If the guest's table and the p2m allow an access that needs no emulation, a page fault fills in the missing shadow entry.",
        until="page_fault",
    )
    def entry_not_filled(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> bool:
        return self.traced[vm, self.paging[vm, vcpu].root] and self.can_be_filled(vm, vcpu, page, access)

    def can_be_filled(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> bool:
        """Whether an access lacks a shadow entry, and does not have to be carried out by the monitor."""
        entry = self.guest_entry(vm, vcpu, page)
        return self.lacks_entry(vm, vcpu, page, access) and (
            access != Access.WRITE or (entry.writable and not self.becomes_traced(vm, vcpu, entry.gfn))
        )

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        """A page fault on the shadow table that is hidden from the guest, or its own."""
        require(self.paging[vm, vcpu].enabled)
        mode = self.paging[vm, vcpu].mode
        require(not lets(self.walked(vm, vcpu, page), access, mode))
        if self.lacks_table(vm, self.paging[vm, vcpu].root):
            return Filled(Result.FAILED, vm, vcpu, page, access, gfn=self.paging[vm, vcpu].root)
        entry, bare_entry = self.guest_entry(vm, vcpu, page), self.bare_walk(vm, vcpu, page)
        if not permits(entry, access, mode):
            due = self.bare_access(vm, vcpu, bare_entry, page, access, Cell())
            return Filled(Result.REFLECTED, vm, vcpu, page, access, Reply(Event.PAGE_FAULT), due)
        write = access == Access.WRITE
        store_to_table = write and self.has_memory(vm, entry.gfn) and self.becomes_traced(vm, vcpu, entry.gfn)
        require(not store_to_table)  # emulate_store's business
        require(entry.writable or not write)  # so is a supervisor's store with WP clear
        found = self.supply(vm, entry.gfn, write)
        if found == Supply.HOLE:
            due = self.bare_access(vm, vcpu, bare_entry, page, access, Cell())
            return Filled(Result.HOLE, vm, vcpu, page, access, Reply(Event.HOLE), due, entry.gfn)
        if found == Supply.LATER:
            return Filled(Result.FAILED, vm, vcpu, page, access, gfn=entry.gfn)
        root = self.paging[vm, vcpu].root
        self.trace(vm, root)
        self.fill(vm, root, page, entry)
        self.tlb[vm, vcpu, page] = ShadowEntry()
        return Filled(Result.INSTALLED, vm, vcpu, page, access, gfn=entry.gfn)

    def fill(self, vm: Vm, root: Gfn, page: Index, entry: Cell) -> None:
        """Make a shadow entry from the guest's: writable only where the page is, and is no table."""
        backing = self.p2m[vm, entry.gfn]
        writable = entry.writable and backing.writable and not self.traced[vm, entry.gfn]
        self.mirror[vm, root, page] = ShadowEntry(True, backing.mfn, writable, entry.executable, entry.gfn, entry.user)

    def becomes_traced(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> bool:
        """Whether a page is a table with a shadow, or gets one by the very fault at hand."""
        return self.traced[vm, gfn] or self.paging[vm, vcpu].root == gfn

    def trace(self, vm: Vm, gfn: Gfn) -> None:
        """From now on a page has a shadow table, and no translation lets the guest write to it."""
        if not self.traced[vm, gfn]:
            self.traced[vm, gfn] = True
            reset(self.mirror, lambda entry, v, root, page: v == vm and entry.gfn == gfn and entry.writable)
            reset(self.tlb, lambda entry, v, vcpu, page: v == vm and entry.gfn == gfn and entry.writable)

    @guest
    def emulate_store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Attempt:
        """A store has exited that the processor must not make, to a traced table, or a supervisor's with WP clear to what is
        read-only: the monitor carries it out for the guest. (What a writable entry for the latter takes is in ``vtlb`` and
        ``shadow_roles``: here vCPUs share shadow tables whatever their modes.)"""
        require(self.paging[vm, vcpu].enabled)
        entry, bare_entry = self.guest_entry(vm, vcpu, page), self.bare_walk(vm, vcpu, page)
        require(permits(entry, Access.WRITE, self.paging[vm, vcpu].mode))  # a table that is away permits nothing: a fault brings it
        require(self.becomes_traced(vm, vcpu, entry.gfn) or not entry.writable)
        shown = self.emulate(vm, entry.gfn, offset, Access.WRITE, value)
        if shown.event == Event.EXITED:
            return Attempt(Reply(), Reply(), vcpu, page, Access.WRITE, gfn=entry.gfn)
        self.tlb[vm, vcpu, page] = ShadowEntry()
        due = self.bare_access(vm, vcpu, bare_entry, offset, Access.WRITE, value)
        return Attempt(shown, due, vcpu, page, Access.WRITE, gfn=entry.gfn)

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """Whoever changes an entry of a table drops its mirror image."""
        self.mirror[vm, gfn, offset] = ShadowEntry()

    @operation
    def untrace(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor drops a shadow table: it can always be made again. Processors forget what came of it."""
        require(self.traced[vm, gfn])
        self.drop_table(vm, gfn)

    def drop_table(self, vm: Vm, gfn: Gfn) -> None:
        """A page is no table any more, as far as the monitor knows."""
        self.traced[vm, gfn] = False
        reset(self.mirror, lambda entry, v, root, page: v == vm and root == gfn)

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Take the right to write to a page from every shadow entry and every processor."""
        reset(self.mirror, lambda entry, v, root, page: v == vm and entry.gfn == gfn)
        reset(self.tlb, lambda entry, v, vcpu, page: v == vm and entry.gfn == gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """A page goes: so do the entries that lead to it, and the shadow table that mirrors it."""
        self.protect(vm, gfn)
        self.drop_table(vm, gfn)
