"""RISC-V's G-stage: where its entries lead, what harts may remember of them, and what a guest-page fault ends in."""

from typing import Any

from refmodel.bare import Event, Seen
from refmodel.language import NOTHING, implies, law
from refmodel.laws.isolation import agrees, guests_own, is_or_was_the_guests
from refmodel.laws.waiting import waits
from refmodel.machine.cells import Access
from refmodel.machine.names import Cpu, Gfn, Vm
from refmodel.machine.riscv.leaf import Leaf, is_reserved
from refmodel.mmu.hgatp import GuestPageFaultServed, VmidMmu
from refmodel.mmu.replies import Result
from refmodel.monitor.frames import Use


@law("ISO-1", "Every G-stage entry maps its gfn to the mfn in the p2m, with no more rights than the p2m gives.")
def leaves_lead_where_the_p2m_says(s: VmidMmu, vm: Vm, gfn: Gfn) -> Any:
    leaf = s.leaves[vm, gfn]
    return implies(leaf.present, agrees(s, vm, gfn, leaf.mfn, leaf.writable))


@law(
    "ISO-1", "A G-stage entry cached under a VM's VMID gives the p2m's mfn and at most the p2m's rights, unless a fence is pending."
)
def harts_remember_what_the_p2m_says(s: VmidMmu, cpu: Cpu, vm: Vm, gfn: Gfn) -> Any:
    tagged = s.tags[vm]
    leaf = s.vmid_tlb[cpu, tagged.tag, gfn].leaf
    return implies(
        tagged.given and leaf.present and not s.unfenced[cpu, tagged.tag, gfn], agrees(s, vm, gfn, leaf.mfn, leaf.writable)
    )


@law(
    "ISO-1",
    "A G-stage entry cached by a running hart gives the p2m's mfn and at most the p2m's rights, or is stale with an IPI pending.",
)
def used_entries_are_stale_at_most(s: VmidMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.harts[cpu]
    leaf, unfenced = s.vmid_tlb[cpu, s.tags[here.vm].tag, gfn].leaf, s.unfenced[cpu, s.tags[here.vm].tag, gfn]
    return implies(
        here.active and leaf.present,
        s.may_translate(here.vm, gfn, leaf.mfn, leaf.writable)
        and ((here.asked and unfenced) or agrees(s, here.vm, gfn, leaf.mfn, leaf.writable)),
    )


@law("ISO-2", "No G-stage entry lets a guest write to a shared frame.")
def no_leaf_writes_to_a_shared_frame(s: VmidMmu, vm: Vm, gfn: Gfn) -> Any:
    leaf = s.leaves[vm, gfn]
    return implies(leaf.present and leaf.writable, s.frames[leaf.mfn].use != Use.SHARED)


@law("ISO-3", "Every G-stage entry that maps a gfn names a frame that holds guest memory.")
def no_leaf_reaches_the_monitor(s: VmidMmu, vm: Vm, gfn: Gfn) -> Any:
    leaf = s.leaves[vm, gfn]
    return implies(leaf.present, guests_own(s, leaf.mfn))


@law(
    "ISO-3",
    "Every G-stage entry that a running hart caches maps a frame that holds guest memory, or a retired frame that awaits a flush.",
)
def no_used_entry_reaches_the_monitor(s: VmidMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.harts[cpu]
    leaf = s.vmid_tlb[cpu, s.tags[here.vm].tag, gfn].leaf
    return implies(here.active and leaf.present, is_or_was_the_guests(s, leaf.mfn))


@law("EQV-5", "Every VM that a hart runs has a VMID.")
def a_hart_runs_a_vm_with_a_vmid(s: VmidMmu, cpu: Cpu) -> Any:
    here = s.harts[cpu]
    return implies(here.active, here.vm != NOTHING and s.tags[here.vm].given and s.tags[here.vm].tag != NOTHING)


@law("EQV-5", "A hart that runs a VM and has a fence pending for the VM's VMID was sent an IPI.")
def a_hart_that_must_fence_was_asked(s: VmidMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.harts[cpu]
    return implies(here.active and s.unfenced[cpu, s.tags[here.vm].tag, gfn], here.asked)


@law("EFF-1", "An access faults only if the G-stage entry, or the copy that the hart has cached, does not allow the access.")
def accesses_fault_only_for_a_right(s: VmidMmu, outcome: Seen, before: VmidMmu, actor: int) -> Any:
    access = Access.WRITE if outcome.write else Access.FETCH if outcome.fetch else Access.READ
    return implies(
        outcome.shown.event == Event.EXITED, outcome.gfn != NOTHING and before.faults(actor, outcome.cpu, outcome.gfn, access)
    )


@law("EFF-2", "After a guest-page fault is served, the G-stage entry, and any copy that the hart has cached, allow the access.")
def a_guest_page_fault_makes_progress(s: VmidMmu, outcome: GuestPageFaultServed) -> Any:
    return implies(outcome.result == Result.INSTALLED, not s.faults(outcome.vm, outcome.cpu, outcome.gfn, outcome.access))


@law(
    "EFF-2",
    "A guest-page fault stays unserved only if the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_guest_page_fault_waits_only_if_its_page_waits(s: VmidMmu, before: VmidMmu, outcome: GuestPageFaultServed) -> Any:
    return implies(not waits(s, before, outcome.vm, outcome.gfn, outcome.access == Access.WRITE), outcome.result != Result.FAILED)


@law("EFF-2", "Serving a guest-page fault removes no right, except that serving a store may move its page to a private frame.")
def a_guest_page_fault_takes_nothing_away(
    s: VmidMmu, before: VmidMmu, outcome: GuestPageFaultServed, gfn: Gfn, access: Access
) -> Any:
    vm, cpu, may_move = outcome.vm, outcome.cpu, outcome.gfn == gfn and outcome.access == Access.WRITE
    return implies(not may_move and not before.faults(vm, cpu, gfn, access), not s.faults(vm, cpu, gfn, access))


@law("EFF-2", "No G-stage entry has W without R, a reserved encoding with which every access would fault.")
def no_leaf_is_reserved(s: VmidMmu, vm: Vm, gfn: Gfn) -> Any:
    return not is_reserved(s.leaves[vm, gfn])


@law("EQV-2", "A guest-page fault reports missing memory only at a gfn without memory on the bare machine, and is never reflected.")
def guest_page_faults_for_holes_are_real(s: VmidMmu, outcome: GuestPageFaultServed) -> Any:
    return implies(outcome.result == Result.HOLE, not s.plugged[outcome.vm, outcome.gfn]) and outcome.result != Result.REFLECTED


@law("ISO-1", "A G-stage entry that is not valid names no frame and has all rights and flags clear.")
def invalid_leaves_have_no_rights(s: VmidMmu, vm: Vm, gfn: Gfn) -> Any:
    return implies(not s.leaves[vm, gfn].present, s.leaves[vm, gfn] == Leaf())
