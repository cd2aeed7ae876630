"""Nested paging: what may be cached under which ASID, and when a frame may be used again."""

from typing import Any

from refmodel.bare import Event
from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Cpu, Gfn, Mfn, Tag, Vm
from refmodel.mmu.npt import NestedEntry, NptMmu, NptRole, NptSeen, NptServed


def leads_where_the_p2m_says(s: NptMmu, vm: Vm, gfn: Gfn, found: NestedEntry) -> Any:
    backing = s.p2m[vm, gfn]
    return backing.valid and backing.mfn == found.mfn and (backing.writable or not found.writable)


@law("ISO-1", "A nested table leads where the p2m says, with no more rights.")
def nested_tables_lead_where_the_p2m_says(s: NptMmu, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.nested[vm, gfn].valid, leads_where_the_p2m_says(s, vm, gfn, s.nested[vm, gfn]))


@law("ISO-1", "What is cached under an ASID that a VM has leads where the p2m says.")
def translations_of_an_asid_in_use_agree(s: NptMmu, cpu: Cpu, vm: Vm, gfn: Gfn) -> Any:
    held = s.asids[cpu, vm]
    found = s.tlb[cpu, held.asid, gfn]
    return implies(held.given and found.valid, leads_where_the_p2m_says(s, vm, gfn, found))


@law("ISO-1", "What a processor uses leads where the p2m says; one that was kicked may use what waits for it to exit.")
def translations_that_are_used_lead_to_the_vms_frames(s: NptMmu, cpu: Cpu, gfn: Gfn) -> Any:
    vmcb = s.running[cpu]
    found = s.tlb[cpu, vmcb.asid, gfn]
    frame = s.owners[found.mfn]
    return implies(vmcb.active and found.valid,
                   frame.role != NptRole.FREE and frame.vm == vmcb.vm and frame.gfn == gfn
                   and (vmcb.kicked or leads_where_the_p2m_says(s, vmcb.vm, gfn, found)))


@law("EQV-5", "A processor that uses a frame which is retired does so where there is no page.")
def retired_pages_are_not_there(s: NptMmu, cpu: Cpu, gfn: Gfn) -> Any:
    vmcb = s.running[cpu]
    found = s.tlb[cpu, vmcb.asid, gfn]
    return implies(vmcb.active and found.valid and s.owners[found.mfn].role == NptRole.RETIRED, not s.plugged[vmcb.vm, gfn])


@law("EQV-5", "No two VMs have the same ASID on a processor, and who runs has one that no other has.")
def asids_are_apart(s: NptMmu, cpu: Cpu, vm: Vm, other: Vm) -> Any:
    mine, theirs, vmcb = s.asids[cpu, vm], s.asids[cpu, other], s.running[cpu]
    return (implies(mine.given and theirs.given and mine.asid == theirs.asid, vm == other)
            and implies(vmcb.active and mine.given and mine.asid == vmcb.asid, vmcb.vm == vm))


@law("EQV-5", "An ASID that a VM has, or runs with, is spent.")
def asids_in_use_are_spent(s: NptMmu, cpu: Cpu, vm: Vm) -> Any:
    held, vmcb = s.asids[cpu, vm], s.running[cpu]
    return (implies(held.given, held.asid != NOTHING and s.spent[cpu, held.asid])
            and implies(vmcb.active, vmcb.asid != NOTHING and s.spent[cpu, vmcb.asid]))


@law("EQV-5", "Nothing is cached under an ASID that can be given.")
def fresh_asids_have_no_translations(s: NptMmu, cpu: Cpu, asid: Tag, gfn: Gfn) -> Any:
    return implies(s.tlb[cpu, asid, gfn].valid, s.spent[cpu, asid])


@law("EQV-5", "Who runs with an ASID that is his no longer was kicked.")
def who_lost_the_asid_was_kicked(s: NptMmu, cpu: Cpu) -> Any:
    vmcb = s.running[cpu]
    held = s.asids[cpu, vmcb.vm]
    return implies(vmcb.active, vmcb.vm != NOTHING and (vmcb.kicked or (held.given and held.asid == vmcb.asid)))


@law("ISO-4", "A page that comes to a guest is a page of zeroes.")
def an_npt_page_comes_as_zeroes(s: NptMmu, before: NptMmu, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.plugged[vm, gfn] and not before.plugged[vm, gfn], s.memory[s.p2m[vm, gfn].mfn].is_zero())


@law("EQV-1", "Each guest page holds what the bare machine's page holds.")
def npt_pages_hold_what_the_bare_machines_hold(s: NptMmu, vm: Vm, gfn: Gfn) -> Any:
    backing = s.p2m[vm, gfn]
    return s.plugged[vm, gfn] == backing.valid and implies(backing.valid, s.memory[backing.mfn] == s.bare_memory[vm, gfn])


@law("EQV-1", "What a load shows is what it shows on the bare machine, where there is a page.")
def npt_loads_show_what_was_stored(s: NptMmu, outcome: NptSeen) -> Any:
    return implies(outcome.shown.event == Event.COMPLETED and outcome.due.event == Event.COMPLETED, outcome.shown == outcome.due)


@law("RES-2", "A frame is a page just where the p2m leads to it.")
def npt_pages_are_held(s: NptMmu, mfn: Mfn) -> Any:
    frame = s.owners[mfn]
    backing = s.p2m[frame.vm, frame.gfn]
    return implies(frame.role == NptRole.PAGE, backing.valid and backing.mfn == mfn)


@law("RES-2", "What the p2m leads to is the page's own frame.")
def npt_backing_frames_are_pages(s: NptMmu, vm: Vm, gfn: Gfn) -> Any:
    backing = s.p2m[vm, gfn]
    frame = s.owners[backing.mfn]
    return implies(backing.valid, frame.role == NptRole.PAGE and frame.vm == vm and frame.gfn == gfn and backing.user)


@law("EFF-1", "An access exits only for what the nested table does not give.")
def npt_accesses_do_not_exit(s: NptMmu, outcome: NptSeen) -> Any:
    return implies(outcome.shown.event == Event.EXITED, not s.lets(outcome.vm, outcome.gfn, outcome.write))


@law("EFF-2", "A nested page fault that was served does not come again.")
def a_served_nested_page_fault_makes_progress(s: NptMmu, outcome: NptServed) -> Any:
    return s.lets(outcome.vm, outcome.gfn, outcome.write)
