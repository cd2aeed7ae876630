"""Nested paging: what may be cached under which ASID, and who may still use it."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.laws.isolation import agrees, is_or_was_the_guests
from refmodel.machine.names import Cpu, Gfn, Tag, Vm
from refmodel.mmu.npt import AllFlushed, AsidMmu


@law("ISO-1", "Every translation cached under an ASID that a VM holds gives the p2m's mfn and at most the p2m's rights.")
def translations_of_an_asid_in_use_agree(s: AsidMmu, cpu: Cpu, vm: Vm, gfn: Gfn) -> Any:
    held = s.asids[cpu, vm]
    found = s.asid_tlb[cpu, held.asid, gfn]
    return implies(held.given and found.present, agrees(s, vm, gfn, found.mfn, found.writable))


@law(
    "ISO-1",
    "A TLB entry that a running CPU uses gives the p2m's mfn and at most the p2m's rights, or is stale with an IPI pending.",
)
def translations_that_are_used_are_stale_at_most(s: AsidMmu, cpu: Cpu, gfn: Gfn) -> Any:
    vmcb = s.running[cpu]
    found = s.asid_tlb[cpu, vmcb.asid, gfn]
    return implies(
        vmcb.active and found.present,
        s.may_translate(vmcb.vm, gfn, found.mfn, found.writable)
        and (vmcb.kicked or agrees(s, vmcb.vm, gfn, found.mfn, found.writable)),
    )


@law(
    "ISO-3",
    "Every translation that a running processor uses maps a frame that holds guest memory, or a retired frame that awaits a flush.",
)
def no_translation_that_is_used_reaches_the_monitor(s: AsidMmu, cpu: Cpu, gfn: Gfn) -> Any:
    vmcb = s.running[cpu]
    found = s.asid_tlb[cpu, vmcb.asid, gfn]
    return implies(vmcb.active and found.present, is_or_was_the_guests(s, found.mfn))


@law("EQV-5", "No two VMs hold the same ASID on a processor, and no VM holds the ASID with which another VM runs.")
def asids_are_apart(s: AsidMmu, cpu: Cpu, vm: Vm, other: Vm) -> Any:
    mine, theirs, vmcb = s.asids[cpu, vm], s.asids[cpu, other], s.running[cpu]
    return implies(mine.given and theirs.given and mine.asid == theirs.asid, vm == other) and implies(
        vmcb.active and mine.given and mine.asid == vmcb.asid, vmcb.vm == vm
    )


@law("EQV-5", "An ASID that a VM holds or runs with is recorded as used since the processor's last full flush.")
def asids_in_use_are_spent(s: AsidMmu, cpu: Cpu, vm: Vm) -> Any:
    held, vmcb = s.asids[cpu, vm], s.running[cpu]
    return implies(held.given, held.asid != NOTHING and s.spent[cpu, held.asid]) and implies(
        vmcb.active, vmcb.asid != NOTHING and s.spent[cpu, vmcb.asid]
    )


@law("EQV-5", "Only ASIDs that were used since the processor's last full flush have cached translations.")
def fresh_asids_have_no_translations(s: AsidMmu, cpu: Cpu, asid: Tag, gfn: Gfn) -> Any:
    return implies(s.asid_tlb[cpu, asid, gfn].present, s.spent[cpu, asid])


@law("EQV-5", "A processor that runs a VM with an ASID that the VM no longer holds was sent an IPI.")
def who_lost_the_asid_was_kicked(s: AsidMmu, cpu: Cpu) -> Any:
    vmcb = s.running[cpu]
    held = s.asids[cpu, vmcb.vm]
    return implies(vmcb.active, vmcb.vm != NOTHING and (vmcb.kicked or (held.given and held.asid == vmcb.asid)))


@law("EFF-2", "After a processor flushes all ASIDs, every ASID can be assigned on that processor.")
def asids_begin_anew(s: AsidMmu, outcome: AllFlushed, asid: Tag) -> Any:
    return s.is_fresh(outcome.cpu, asid)


@law("EFF-2", "Every present nested page-table entry has its user flag set; without the flag, the same exit would recur forever.")
def nested_entries_are_the_users(s: AsidMmu, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.derived[vm, gfn].present, s.user[vm, gfn])
