"""Direct paging: what the frame types and the two counts are for."""

from typing import Any

from refmodel.bare import Event
from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Index, Mfn, Vcpu, Vm
from refmodel.mmu.direct import BaseLoaded, DirectBareMachine, DirectMmu, Hypercall, Pinned, Standing, Touched, Type, TypedFrame


def is_table(frame: TypedFrame) -> Any:
    return frame.type == Type.L1 or frame.type == Type.L2


# ---------------------------------------------------------------- isolation


@law("ISO-1", "Every cached translation maps a frame that the VM owns or that is granted to the VM.")
def cached_translations_lead_to_owned_frames(s: DirectMmu, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index) -> Any:
    found = s.tlb[vm, vcpu, upper, lower]
    return implies(found.valid, s.may_map(vm, found.mfn))


@law("ISO-1", "Every checked page-table entry names a frame that the table's owner owns, or that is granted to the table's owner.")
def checked_entries_lead_to_owned_frames(s: DirectMmu, mfn: Mfn, index: Index) -> Any:
    held = s.held[mfn, index]
    return implies(held.live, s.frames[mfn].owned and s.may_map(s.frames[mfn].vm, held.mfn))


@law("ISO-1", "A non-present entry of a validated table names no frame, because a processor may use the entry speculatively.")
def entries_not_present_name_no_frame(s: DirectMmu, mfn: Mfn, index: Index) -> Any:
    word = s.words[mfn, index]
    return implies(s.frames[mfn].standing == Standing.VALID and not word.present, word.mfn == NOTHING)


@law("ISO-1", "The IOMMU lets a VM's devices store only to frames that the VM owns or that are granted to the VM.")
def devices_reach_owned_frames(s: DirectMmu, vm: Vm, mfn: Mfn) -> Any:
    return implies(s.iommu[vm, mfn], s.may_reach_by_device(vm, mfn))


@law("ISO-3", "A frame that a TLB entry maps as writable has the writable type, or is reserved as a table and not yet checked.")
def no_cached_translation_writes_to_a_table(s: DirectMmu, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index) -> Any:
    found = s.tlb[vm, vcpu, upper, lower]
    return implies(found.valid and found.writable, may_be_written(s.frames[found.mfn]))


def may_be_written(frame: TypedFrame) -> Any:
    """Whether guests may still be able to write to a frame: until every processor has forgotten, its contents are not relied on."""
    return frame.type == Type.WRITABLE or frame.standing == Standing.RESERVED


@law("ISO-3", "If a checked page-table entry maps a frame as writable, the frame has the writable type and is not a page table.")
def no_checked_entry_writes_to_a_table(s: DirectMmu, mfn: Mfn, index: Index) -> Any:
    held = s.held[mfn, index]
    return implies(
        held.live and held.writable, s.frames[held.mfn].type == Type.WRITABLE and s.frames[held.mfn].standing == Standing.PLAIN
    )


@law("ISO-3", "A frame that a device can store to has no type or the writable type, or is reserved as a table and not yet checked.")
def no_device_writes_to_a_table(s: DirectMmu, vm: Vm, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    return implies(s.iommu[vm, mfn], may_be_written(frame) or frame.type == Type.NONE)


@law(
    "ISO-3",
    "Unless a page table is being dissolved, the monitor's record of each checked entry matches the entry in memory: frame, "
    "write right and next-level table.",
)
def checked_entries_are_as_checked(s: DirectMmu, mfn: Mfn, index: Index) -> Any:
    held, word, frame = s.held[mfn, index], s.words[mfn, index], s.frames[mfn]
    link = frame.type == Type.L2 and not word.large
    return implies(
        held.live and frame.standing != Standing.DISSOLVING,
        word.present
        and held.mfn == word.mfn
        and implies(not link, held.writable == word.writable and not held.link)
        and implies(link, not held.writable and held.link == (word.mfn != mfn) and (held.link or not word.writable)),
    )


@law(
    "ISO-3",
    "Every entry of a validated table is checked. An unchecked entry, or an entry in a plain or reserved frame, holds "
    "no reference.",
)
def valid_tables_are_checked(s: DirectMmu, mfn: Mfn, index: Index) -> Any:
    standing, held, word = s.frames[mfn].standing, s.held[mfn, index], s.words[mfn, index]
    return (
        implies(standing == Standing.VALID, not s.unchecked[mfn, index])
        and implies(standing == Standing.PLAIN or standing == Standing.RESERVED, not held.live)
        and implies(s.unchecked[mfn, index], not held.live)
        and implies(word.present or word.mfn != NOTHING, held.live or s.unchecked[mfn, index])
    )


@law("ISO-3", "A checked link is an entry of a level 2 table, and names a validated level 1 table.")
def links_lead_to_tables(s: DirectMmu, mfn: Mfn, index: Index) -> Any:
    held = s.held[mfn, index]
    target = s.frames[held.mfn]
    return implies(
        held.live and held.link, s.frames[mfn].type == Type.L2 and target.type == Type.L1 and target.standing == Standing.VALID
    )


@law("ISO-3", "A vCPU's base pointer (CR3) names a validated level 2 table that the vCPU's VM owns.")
def base_pointers_lead_to_tables(s: DirectMmu, vm: Vm, vcpu: Vcpu) -> Any:
    base = s.base[vm, vcpu]
    frame = s.frames[base.mfn]
    return implies(base.loaded, frame.owned and frame.vm == vm and frame.type == Type.L2 and frame.standing == Standing.VALID)


@law("ISO-4", "Every word of a frame that a VM newly gets is zero, or is an entry that the domain builder checked.")
def a_new_frame_holds_nothing(s: DirectMmu, before: DirectMmu, mfn: Mfn, index: Index) -> Any:
    word = s.words[mfn, index]
    return implies(
        s.frames[mfn].owned and not before.frames[mfn].owned,
        s.held[mfn, index].live or (not word.present and not word.writable and not word.gate and word.mfn == NOTHING),
    )


@law("ISO-5", "The contents of an owned frame change only in steps of VMs that may map the frame or reach it by a device.")
def frames_change_by_their_owners_only(s: DirectMmu, before: DirectMmu, actor: Vm, mfn: Mfn, index: Index) -> Any:
    frame = before.frames[mfn]
    return implies(
        frame.owned
        and s.frames[mfn].owned
        and (actor == NOTHING or not (before.may_map(actor, mfn) or before.may_reach_by_device(actor, mfn))),
        s.words[mfn, index] == before.words[mfn, index],
    )


@law("ISO-5", "Only steps of the VM that owns a table pin or unpin the table.")
def pins_are_their_owners(s: DirectMmu, before: DirectMmu, actor: Vm, mfn: Mfn) -> Any:
    was, now = before.frames[mfn], s.frames[mfn]
    return implies(was.owned and now.owned and actor != was.vm, was.pinned == now.pinned)


@law("ISO-5", "Only steps of a vCPU's own VM change the vCPU's base pointer (CR3).")
def base_pointers_are_their_vms(s: DirectBareMachine, before: DirectBareMachine, actor: Vm, vm: Vm, vcpu: Vcpu) -> Any:
    return implies(vm != actor, s.base[vm, vcpu] == before.base[vm, vcpu])


# ---------------------------------------------------------------- accounting


@law("RES-1", "A frame's type count is the number of uses that rely on its type.")
def type_counts_are_exact(s: DirectMmu, mfn: Mfn) -> Any:
    return s.frames[mfn].uses == s.uses(mfn)


@law("RES-1", "A frame's reference count is the number of checked entries and device mappings that name the frame.")
def page_references_are_exact(s: DirectMmu, mfn: Mfn) -> Any:
    return s.frames[mfn].references == s.leading_to(mfn)


@law("RES-2", "A frame without an owner is plain memory with no type, no uses, no references and no pin.")
def free_frames_are_unused(s: DirectMmu, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    return implies(frame.owned, frame.vm != NOTHING) and implies(
        not frame.owned,
        frame.uses == 0
        and frame.references == 0
        and frame.type == Type.NONE
        and frame.standing == Standing.PLAIN
        and not frame.pinned,
    )


@law(
    "RES-2",
    "A frame has a page-table type exactly while it is reserved, being checked, valid or being dissolved; its pin and "
    "type count agree.",
)
def standings_agree_with_types(s: DirectMmu, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    return (
        is_table(frame) == (frame.standing != Standing.PLAIN)
        and implies(frame.pinned, is_table(frame) and frame.standing != Standing.DISSOLVING)
        and implies(is_table(frame), (frame.uses == 0) == (frame.standing == Standing.DISSOLVING))
        and implies(frame.standing == Standing.RESERVED or frame.standing == Standing.CHECKING, frame.pinned and frame.uses == 1)
        and implies(frame.type == Type.NONE, frame.uses == 0)
    )


# ---------------------------------------------------------------- equivalence


@law("EQV-1", "Every frame that a VM owns holds what the same frame holds on the bare machine.")
def frames_hold_what_owners_believe(s: DirectMmu, mfn: Mfn, index: Index) -> Any:
    return implies(s.frames[mfn].owned, s.words[mfn, index] == s.bare_words[mfn, index])


@law("EQV-1", "Every access has the same outcome as on the bare machine, and shows the guest the same data.")
def loads_show_what_was_stored(s: DirectMmu, outcome: Touched) -> Any:
    return outcome.shown == outcome.due


@law("EQV-2", "An access faults only if the guest's own page tables do not allow the access.")
def direct_faults_come_when_due(s: DirectMmu, before: DirectMmu, outcome: Touched, actor: Vm) -> Any:
    base = before.base[actor, outcome.vcpu]
    top = before.words[base.mfn, outcome.upper]
    leaf = before.words[top.mfn, outcome.lower]
    mapped = base.loaded and top.present and (top.large or leaf.present)
    writable = top.writable and (top.large or leaf.writable)
    return implies(outcome.shown.event == Event.PAGE_FAULT, not mapped or (outcome.write and not writable))


@law("EQV-2", "After an access completes, the TLB has a translation of its address that allows the access.")
def direct_accesses_are_translated(s: DirectMmu, outcome: Touched, actor: Vm) -> Any:
    found = s.tlb[actor, outcome.vcpu, outcome.upper, outcome.lower]
    return implies(outcome.shown.event == Event.COMPLETED, found.valid and (found.writable or not outcome.write))


@law("EQV-5", "Every TLB entry equals the entry that the bare machine's TLB may hold for the same address.")
def cached_translations_were_the_guests(s: DirectMmu, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index) -> Any:
    return implies(s.tlb[vm, vcpu, upper, lower].valid, s.tlb[vm, vcpu, upper, lower] == s.bare_tlb[vm, vcpu, upper, lower])


@law(
    "EQV-2",
    "A request to pin a table either pins the frame at the requested level, or is refused and leaves the frame's state unchanged.",
)
def pins_are_what_was_asked_for(s: DirectMmu, before: DirectMmu, outcome: Pinned) -> Any:
    frame = s.frames[outcome.mfn]
    return implies(outcome.done, frame.pinned and frame.type == (Type.L2 if outcome.second else Type.L1)) and implies(
        not outcome.done, frame == before.frames[outcome.mfn]
    )


@law(
    "EQV-2",
    "A hypercall that loads a base pointer either sets the vCPU's CR3 to the named table, or is refused and leaves CR3 unchanged.",
)
def base_pointers_are_what_was_asked_for(s: DirectMmu, before: DirectMmu, outcome: BaseLoaded, actor: Vm) -> Any:
    now, was = s.base[actor, outcome.vcpu], before.base[actor, outcome.vcpu]
    return implies(outcome.done, now.loaded and now.mfn == outcome.mfn) and implies(not outcome.done, now == was)


@law("EQV-2", "A refused hypercall changes no frame record, no memory word, and no page-table entry's reference.")
def refused_hypercalls_change_nothing(s: DirectMmu, before: DirectMmu, outcome: Hypercall, mfn: Mfn, index: Index) -> Any:
    return implies(
        not outcome.done,
        s.frames[mfn] == before.frames[mfn]
        and s.words[mfn, index] == before.words[mfn, index]
        and s.held[mfn, index] == before.held[mfn, index],
    )


@law(
    "EQV-2", "A VM's devices can reach every frame that the VM owns, unless the frame is a page table or holds segment descriptors."
)
def devices_reach_plain_memory(s: DirectMmu, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    return implies(frame.owned and frame.standing == Standing.PLAIN and frame.type != Type.SEGMENT, s.iommu[frame.vm, mfn])


@law("EQV-5", "A cached entry of the monitor's linear mapping names the level 1 table that the guest's level 2 entry links to.")
def linear_mappings_are_current(s: DirectMmu, vm: Vm, vcpu: Vcpu, upper: Index) -> Any:
    table, base = s.linear[vm, vcpu, upper], s.base[vm, vcpu]
    link = s.words[base.mfn, upper]
    return implies(table != NOTHING, base.loaded and link.present and not link.large and link.mfn == table and table != base.mfn)


@law("EFF-1", "No load or store under direct paging causes a VM exit.")
def direct_accesses_do_not_exit(s: DirectMmu, outcome: Touched) -> Any:
    return outcome.shown.event != Event.EXITED


@law("EFF-2", "While a table is being checked, no hypercall makes a checked entry unchecked again.")
def checking_makes_progress(s: DirectMmu, before: DirectMmu, outcome: Hypercall, mfn: Mfn, index: Index) -> Any:
    return implies(s.unchecked[mfn, index] and before.frames[mfn].standing == Standing.CHECKING, before.unchecked[mfn, index])


@law("EFF-2", "While a table loses its type, an entry is marked unchecked only in a step that releases its references.")
def dissolving_makes_progress(s: DirectMmu, before: DirectMmu, mfn: Mfn, index: Index) -> Any:
    dissolving = before.frames[mfn].standing == Standing.DISSOLVING and s.frames[mfn].standing == Standing.DISSOLVING
    return implies(
        dissolving and s.unchecked[mfn, index] and not before.unchecked[mfn, index],
        before.held[mfn, index].live and not s.held[mfn, index].live,
    )
