"""The virtual TLB: the monitor keeps shadow tables that behave as a TLB would, and nothing of the guest's is traced.

The processor walks a shadow table, one for each vCPU, which leads linear pages straight to machine frames. It starts empty. A
fault on it is *hidden* if the guest's own table lets the access through: the monitor then fills the entry in, from the guest's
table and the p2m; otherwise the fault is the guest's own, and is given to it. The guest edits its tables as it likes. When it says
INVLPG or MOV CR3, as it must for a real TLB's sake, the shadow table forgets as a TLB does. (SDM Vol. 3C
chapter 32, *virtual TLB*.)

While CR0.PG is clear the monitor carries the accesses out. The shadow tables lie in memory of the monitor's own, not in the frames
that guests are given.
"""

import attrs

from refmodel.bare import Event, Reply
from refmodel.language import NOTHING, Total, cached, guest, operation, require, reset
from refmodel.machine.cells import Access, Cell, Paging, permits
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.interpreter import Emulation
from refmodel.mmu.replies import Attempt, Filled, Result


@attrs.frozen
class ShadowEntry:
    """What the processor walks (present, R/W, the inverse of XD, the frame), and the guest frame that it stands for."""

    present: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False
    executable: bool = False
    gfn: Gfn = NOTHING


def lets(entry: ShadowEntry, access: Access) -> bool:
    """Whether a shadow entry lets an access through."""
    if access == Access.WRITE:
        return entry.present and entry.writable
    if access == Access.FETCH:
        return entry.present and entry.executable
    return entry.present


class VirtualTlbMmu(Emulation):
    shadow: Total[tuple[Vm, Vcpu, Index], ShadowEntry]
    tlb: Total[tuple[Vm, Vcpu, Index], ShadowEntry]
    """What the processor remembers of the shadow table."""

    # ------------------------------------------------------------ the hardware

    def execute(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Attempt:
        """An access by linear address: from the processor's cache, or by a walk of the shadow table."""
        require(self.paging[vm, vcpu].enabled)
        entry = self.tlb[vm, vcpu, page]
        if not (lets(entry, access) and cached("translation")):
            entry = self.shadow[vm, vcpu, page]
            if not lets(entry, access):
                self.tlb[vm, vcpu, page] = ShadowEntry()  # a page fault drops what is cached for its address
                return Attempt(Reply(), Reply(), vcpu, page, access)
            self.tlb[vm, vcpu, page] = entry
        due = self.bare_access(vm, self.bare_tlb[vm, vcpu, page], offset, access, value)
        contents = self.memory[entry.mfn]
        if access == Access.WRITE:
            self.memory[entry.mfn] = contents.put(offset, value)
            return Attempt(Reply(Event.COMPLETED), due, vcpu, page, access)
        return Attempt(Reply(Event.COMPLETED, contents[offset]), due, vcpu, page, access)

    # ------------------------------------------------------------ the guest's instructions

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        return self.execute(vm, vcpu, page, offset, Access.READ, Cell())

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Attempt:
        return self.execute(vm, vcpu, page, offset, Access.WRITE, value)

    @guest
    def fetch(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        return self.execute(vm, vcpu, page, offset, Access.FETCH, Cell())

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """INVLPG exits: the shadow entry goes, and what the processor remembers of it."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()
        self.shadow[vm, vcpu, page] = ShadowEntry()
        self.tlb[vm, vcpu, page] = ShadowEntry()

    @guest
    def mov_cr3(self, vm: Vm, vcpu: Vcpu, root: Gfn) -> None:
        """MOV to CR3 (and, the first time, CR0.PG) exits: the shadow table is emptied, as a TLB would be."""
        self.paging[vm, vcpu] = Paging(True, root)
        reset(self.bare_tlb, lambda cell, v, c, page: v == vm and c == vcpu)
        reset(self.shadow, lambda entry, v, c, page: v == vm and c == vcpu)
        reset(self.tlb, lambda entry, v, c, page: v == vm and c == vcpu)

    # ------------------------------------------------------------ the monitor

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        """A page fault on the shadow table: hidden from the guest, or its own."""
        require(self.paging[vm, vcpu].enabled)
        require(not lets(self.shadow[vm, vcpu, page], access))
        entry, bare_entry = self.guest_entry(vm, vcpu, page), self.bare_walk(vm, vcpu, page)
        if not permits(entry, access):
            due = self.bare_access(vm, bare_entry, page, access, Cell())
            return Filled(Result.REFLECTED, vm, vcpu, page, access, Reply(Event.PAGE_FAULT), due)
        if not self.p2m[vm, entry.gfn].mapped:
            return Filled(Result.HOLE, vm, vcpu, page, access, Reply(Event.HOLE),
                          self.bare_access(vm, bare_entry, page, access, Cell()))
        if access == Access.WRITE and not self.p2m[vm, entry.gfn].writable and not self.break_sharing(vm, entry.gfn):
            return Filled(Result.FAILED, vm, vcpu, page, access)
        backing = self.p2m[vm, entry.gfn]
        self.tlb[vm, vcpu, page] = ShadowEntry()
        writable = entry.writable and backing.writable
        self.shadow[vm, vcpu, page] = ShadowEntry(True, backing.mfn, writable, entry.executable, entry.gfn)
        self.bare_tlb[vm, vcpu, page] = bare_entry
        return Filled(Result.INSTALLED, vm, vcpu, page, access)

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
