"""RISC-V's second translation: a G-stage table for each VM, translations under VMIDs, fences by page.

Where a page lies, and what a guest is shown, is the same as over EPT. The format and the fences differ:

- R, W and X are rights apart, so that a page can be executable and not readable. An entry without U lets no guest through. Under
  Svade an entry without A, or without D in a store, faults too.
- A hart may remember an entry that maps nothing, or too little, and fault by that again. So an entry that gains a right is followed
  by a fence as one that loses a right is (Supervisor, ``norm:sfence_vma_implicit_access``; Svvptc is not relied on).
- HFENCE.GVMA has a hart forget a page of a VMID, or all. It concerns the hart that executes it, so the monitor interrupts the harts
  that run the VM; another fences before it next runs it. (Linux: ``kvm_riscv_hfence_gvma_vmid_gpa``.)
- A guest-page fault has the cause of the guest's instruction. What the G-stage lacked may be another access: ``guest_faults``.

VMIDs are the same on every hart, and few. One that is handed out is fenced everywhere first.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Reply, Seen
from refmodel.language import NOTHING, Total, assign, cached, count, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Cpu, Gfn, Index, Tag, Vm
from refmodel.machine.riscv.guest_faults import Cause, Implicit, lacked
from refmodel.machine.riscv.leaf import Leaf, flagged, has_flags, lets
from refmodel.mmu.acknowledged import Acknowledged, AcknowledgingMmu
from refmodel.mmu.replies import Result, told
from refmodel.mmu.tags import VmTags
from refmodel.monitor.p2m import Supply


@attrs.frozen
class Remembered:
    """The entry that a hart remembers for a page, if any. It need not map anything."""

    valid: bool = False
    leaf: Leaf = Leaf()


@attrs.frozen
class HartRuns:
    """The VM that a hart runs. ``asked``: it was interrupted to fence, and has not yet."""

    active: bool = False
    vm: Vm = NOTHING
    asked: bool = False


@attrs.frozen
class GuestPageFaultServed:
    """What came of a guest-page fault, and the access that was lacked."""

    result: Result
    vm: Vm
    cpu: Cpu
    gfn: Gfn
    access: Access

    @property
    def shown(self) -> Reply:
        return told(self.result)


class VmidMmu(VmTags, AcknowledgingMmu):
    leaves: Total[tuple[Vm, Gfn], Leaf]
    """The table that hgatp leads to, as far as it maps pages."""
    vmid_tlb: Total[tuple[Cpu, Tag, Gfn], Remembered]
    """What a hart remembers under each VMID."""
    unfenced: Total[tuple[Cpu, Tag, Gfn], bool]
    """Where a hart has to fence a page of a VMID before it next runs with it."""
    harts: Total[Cpu, HartRuns]

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"guest_page_fault": ("load_physical",), "fetch_physical": ("load_physical",)}

    # ------------------------------------------------------------ the hart

    def vmid_on(self, cpu: Cpu) -> Tag:
        """The VMID in a hart's hgatp while it runs a VM."""
        return self.tags[self.harts[cpu].vm].tag

    def gives(self, cpu: Cpu, leaf: Leaf, access: Access) -> bool:
        """Whether a hart needs no more than this entry for an access. Under Svade the entry has to have the flags."""
        return lets(leaf, access) and has_flags(leaf, access)

    def found(self, vm: Vm, cpu: Cpu, gfn: Gfn, access: Access) -> Leaf:
        """The entry that a hart uses: one that it remembers, or the one that it reads, and remembers then."""
        vmid = self.vmid_on(cpu)
        remembered = self.vmid_tlb[cpu, vmid, gfn]
        if remembered.valid and cached("G-stage entry"):
            return remembered.leaf
        self.vmid_tlb[cpu, vmid, gfn] = Remembered(True, self.leaves[vm, gfn])
        return self.leaves[vm, gfn]

    def execute(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        require(self.harts[cpu].active and self.harts[cpu].vm == vm)
        leaf = self.found(vm, cpu, gfn, access)
        write, fetch = access == Access.WRITE, access == Access.FETCH
        if not self.gives(cpu, leaf, access):
            return Seen(gfn=gfn, write=write, cpu=cpu, fetch=fetch)
        due = self.bare_physical(vm, gfn, offset, access, value)
        return Seen(self.touch(leaf.mfn, offset, access, value), due, gfn, write, cpu, fetch)

    @guest
    def load_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> Seen:
        """A load, or the VS-stage's reading of an entry."""
        return self.execute(vm, cpu, gfn, offset, Access.READ, Cell())

    @guest
    def store_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        """A store, or the VS-stage's setting of A or D in an entry."""
        return self.execute(vm, cpu, gfn, offset, Access.WRITE, value)

    @guest
    def fetch_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> Seen:
        return self.execute(vm, cpu, gfn, offset, Access.FETCH, Cell())

    # ------------------------------------------------------------ fences

    def hfence_gvma(self, cpu: Cpu, vmid: Tag, gfn: Gfn) -> None:
        """HFENCE.GVMA with an address and a VMID, on one hart."""
        self.vmid_tlb[cpu, vmid, gfn] = Remembered()
        self.unfenced[cpu, vmid, gfn] = False

    @operation
    def hfence_gvma_all(self, cpu: Cpu) -> None:
        """HFENCE.GVMA without operands: a hart forgets all of the G-stage. A monitor may put many fences into one."""
        reset(self.vmid_tlb, lambda remembered, on, vmid, gfn: on == cpu)
        reset(self.unfenced, lambda unfenced, on, vmid, gfn: on == cpu)

    def fence_pending(self, cpu: Cpu, vmid: Tag) -> None:
        """A hart executes every fence of a VMID that it was asked for."""
        reset(self.vmid_tlb, lambda remembered, on, of, gfn: on == cpu and of == vmid and self.unfenced[on, of, gfn])
        reset(self.unfenced, lambda unfenced, on, of, gfn: on == cpu and of == vmid)

    @operation
    def enter(self, vm: Vm, cpu: Cpu) -> None:
        """A vCPU of this VM starts to run on a hart, which first executes the fences that it was asked for meanwhile."""
        require(not self.harts[cpu].active)
        require(self.tags[vm].given)
        self.fence_pending(cpu, self.tags[vm].tag)
        self.harts[cpu] = HartRuns(True, vm)

    @operation
    def leave(self, cpu: Cpu) -> None:
        """A vCPU stops running. What its hart remembers stays there."""
        require(self.harts[cpu].active)
        self.harts[cpu] = HartRuns()

    @pending(
        "EFF-4",
        "A hart that was sent an IPI to fence can execute the fences, and has no IPI pending afterwards.",
        until="acknowledge",
    )
    def unacknowledged(self, cpu: Cpu) -> bool:
        return self.harts[cpu].active and self.harts[cpu].asked

    @operation
    def acknowledge(self, cpu: Cpu) -> None:
        """The interrupt arrives at a hart that runs a guest: it executes the fences and goes on."""
        here = self.harts[cpu]
        require(here.active and here.asked)
        self.fence_pending(cpu, self.tags[here.vm].tag)
        self.harts[cpu] = attrs.evolve(here, asked=False)

    def request_fence(self, vm: Vm, gfn: Gfn) -> None:
        """Every hart is to fence a page: those that run the VM are interrupted, the others do it when they enter."""
        tag = self.tags[vm].tag
        assign(self.unfenced, lambda unfenced, cpu, of, page: of == tag and page == gfn, True)
        self.interrupt(vm)

    def interrupt(self, vm: Vm) -> None:
        assign(self.harts, lambda here, cpu: here.active and here.vm == vm, lambda here, cpu: attrs.evolve(here, asked=True))

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no hart runs a VM that was interrupted to fence and has not."""
        return count(self.harts, lambda here, cpu: here.active and here.vm == vm and here.asked) == 0

    def mark_stale(self, tag: Tag) -> None:
        assign(self.unfenced, lambda unfenced, cpu, of, gfn: of == tag, True)

    def running_it(self, vm: Vm) -> int:
        return count(self.harts, lambda here, cpu: here.active and here.vm == vm)

    # ------------------------------------------------------------ what is derived from the p2m

    def faults(self, vm: Vm, cpu: Cpu, gfn: Gfn, access: Access) -> bool:
        """Whether a hart can fault in an access: by the table, or by what it remembers."""
        remembered = self.vmid_tlb[cpu, self.tags[vm].tag, gfn]
        return not self.gives(cpu, self.leaves[vm, gfn], access) or (
            remembered.valid and not self.gives(cpu, remembered.leaf, access)
        )

    @pending(
        "EFF-2",
        "If the p2m allows an access, serving its guest-page fault adds the missing right to the G-stage entry and "
        "fences the page.",
        until="guest_page_fault",
    )
    def right_not_given(self, vm: Vm, cpu: Cpu, gfn: Gfn, cause: Cause, implicit: Implicit) -> bool:
        access, here = lacked(cause, implicit), self.harts[cpu]
        return (
            here.active
            and here.vm == vm
            and self.lets_through(vm, gfn, access == Access.WRITE)
            and self.faults(vm, cpu, gfn, access)
        )

    @operation
    def guest_page_fault(self, vm: Vm, cpu: Cpu, gfn: Gfn, cause: Cause, implicit: Implicit) -> GuestPageFaultServed:
        """Give a page the right that an access lacked, once memory management has supplied it. The hart fences the page."""
        access = self.access_of(cause, implicit)
        require(self.harts[cpu].active and self.harts[cpu].vm == vm)
        require(self.faults(vm, cpu, gfn, lacked(cause, implicit)))
        if not lets(self.leaves[vm, gfn], access):
            found = self.supply(vm, gfn, access == Access.WRITE)
            if found == Supply.HOLE:
                return GuestPageFaultServed(Result.HOLE, vm, cpu, gfn, lacked(cause, implicit))
            if found == Supply.LATER:
                return GuestPageFaultServed(Result.FAILED, vm, cpu, gfn, lacked(cause, implicit))
        self.leaves[vm, gfn] = self.made(vm, gfn, access)
        self.hfence_gvma(cpu, self.vmid_on(cpu), gfn)
        return GuestPageFaultServed(Result.INSTALLED, vm, cpu, gfn, lacked(cause, implicit))

    def access_of(self, cause: Cause, implicit: Implicit) -> Access:
        """The access that a trap reports: htinst counts where it holds a pseudoinstruction, and else the cause."""
        return lacked(cause, implicit)

    def made(self, vm: Vm, gfn: Gfn, access: Access) -> Leaf:
        """A page's entry after a fault: with the right that was lacked, and the flags that the access sets."""
        return flagged(self.with_right(vm, gfn, access), access)

    def with_right(self, vm: Vm, gfn: Gfn, access: Access) -> Leaf:
        """A page's entry with the right to one access more. A store gets R with W, since W alone is reserved."""
        old, fetch = self.leaves[vm, gfn], access == Access.FETCH
        return attrs.evolve(
            old,
            present=True,
            mfn=self.p2m[vm, gfn].mfn,
            user=True,
            readable=old.readable or not fetch,
            writable=old.writable or access == Access.WRITE,
            executable=old.executable or fetch,
        )

    @operation
    def map_ahead(self, vm: Vm, gfn: Gfn, access: Access) -> None:
        """The monitor gives a right that the p2m lets it give, before an access faults for it. No hart has to fence yet."""
        require(not lets(self.leaves[vm, gfn], access))
        require(self.lets_through(vm, gfn, access == Access.WRITE))
        self.leaves[vm, gfn] = self.made_ahead(self.with_right(vm, gfn, access), access)

    def made_ahead(self, leaf: Leaf, access: Access) -> Leaf:
        """The entry that is made before an access. Its flags are set, so that Svade does not fault for them."""
        return flagged(leaf, access)

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.leaves[vm, gfn] = attrs.evolve(self.leaves[vm, gfn], writable=False, dirty=False)  # D says nothing without W
        self.request_fence(vm, gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.leaves[vm, gfn] = Leaf()
        self.request_fence(vm, gfn)


class HgatpMmu(Acknowledged, VmidMmu):
    """RISC-V's G-stage, for mechanisms that wait until fences are acknowledged."""
