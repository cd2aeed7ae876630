"""What all shadow MMUs have in common: the processor walks tables of the monitor's, which lead linear pages to machine frames.

What the processor finds there it may remember, until it is told to forget. How a shadow entry comes to be, and how long it stays,
is what the shadow MMUs differ in.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Reply
from refmodel.language import NOTHING, Total, cached, guest, require
from refmodel.machine.cells import Access, Cell, Mode, permits
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.interpreter import Emulation
from refmodel.mmu.replies import Attempt


@attrs.frozen
class ShadowEntry:
    """What the processor walks (present, the frame, R/W, the inverse of XD, U/S), and the guest frame that it stands for."""

    present: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False
    executable: bool = False
    gfn: Gfn = NOTHING
    user: bool = False

    @property
    def readable(self) -> bool:
        return self.present


def lets(entry: ShadowEntry, access: Access, mode: Mode) -> bool:
    """Whether a shadow entry lets an access through. The processor runs with CR0.WP set, whatever the guest has: the monitor's
    reasons for read-only entries are none of the guest's business."""
    return permits(entry, access, attrs.evolve(mode, wp=True))


def hides_from_smap(entry: Cell, access: Access, mode: Mode) -> bool:
    """Whether a supervisor's store, with WP clear, would take a shadow entry that SMAP did not know for a user's page any more.
    Such an entry would outlast EFLAGS.AC, which the monitor does not see changing; so the store is carried out instead."""
    return access == Access.WRITE and not entry.writable and entry.user and mode.smap


def mirrors(entry: ShadowEntry, cell: Cell) -> bool:
    """Whether a shadow entry is what a guest's entry gives, but perhaps for the right to write."""
    return (
        cell.present
        and cell.gfn == entry.gfn
        and cell.executable == entry.executable
        and cell.user == entry.user
        and (cell.writable or not entry.writable)
    )


class ShadowMmu(Emulation):
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"page_fault": ("access",), "emulate_store": ("store",)}

    tlb: Total[tuple[Vm, Vcpu, Index], ShadowEntry]
    """What the processors remember of the shadow tables."""

    def walked(self, vm: Vm, vcpu: Vcpu, page: Index) -> ShadowEntry:
        """The shadow entry that a vCPU's processor finds for a linear page."""
        raise NotImplementedError

    def walk_bare(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """The bare machine looks up what the processor has just found in the shadow table."""
        raise NotImplementedError

    def lacks_entry(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> bool:
        """Whether an access exits for want of a shadow entry only: the guest's table and the p2m let it through."""
        here, entry = self.paging[vm, vcpu], self.guest_entry(vm, vcpu, page)
        return (
            here.enabled
            and permits(entry, access, here.mode)
            and self.lets_through(vm, entry.gfn, access == Access.WRITE)
            and not lets(self.walked(vm, vcpu, page), access, here.mode)
        )

    def execute(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Attempt:
        """An access by linear address: from the processor's cache, or by a walk of the shadow table."""
        require(self.paging[vm, vcpu].enabled)
        entry = self.tlb[vm, vcpu, page]
        mode = self.paging[vm, vcpu].mode
        if not (lets(entry, access, mode) and cached("translation")):
            entry = self.walked(vm, vcpu, page)
            if not lets(entry, access, mode):
                self.tlb[vm, vcpu, page] = ShadowEntry()  # a page fault drops what is cached for its address
                return Attempt(Reply(), Reply(), vcpu, page, access)
            self.tlb[vm, vcpu, page] = entry
            self.walk_bare(vm, vcpu, page)
        due = self.bare_access(vm, vcpu, self.bare_tlb[vm, vcpu, page], offset, access, value)
        return Attempt(self.touch(entry.mfn, offset, access, value), due, vcpu, page, access, gfn=entry.gfn)

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        return self.execute(vm, vcpu, page, offset, Access.READ, Cell())

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Attempt:
        return self.execute(vm, vcpu, page, offset, Access.WRITE, value)

    @guest
    def fetch(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Attempt:
        return self.execute(vm, vcpu, page, offset, Access.FETCH, Cell())
