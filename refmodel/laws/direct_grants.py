"""Frames that change hands under direct paging: what grants, transfers and descriptor pages have to keep."""

from typing import Any

from refmodel.language import count, implies, law
from refmodel.machine.names import Index, Mfn, Vcpu, Vm
from refmodel.mmu.direct import Standing, Type, TypedFrame
from refmodel.mmu.direct_grants import (
    DescriptorsSet,
    DirectGrants,
    GrantChanged,
    GrantDeviceMapped,
    GrantEntryMapped,
    MachphysUpdated,
)

# ---------------------------------------------------------------- isolation


@law(
    "ISO-1",
    "A VM maps a foreign frame, or reaches it by a device, only while the frame's owner grants the frame to that VM. "
    "A device needs a writable grant, and a frame of the writable type. An owner grants no frame to itself.",
)
def mapped_grants_are_granted(s: DirectGrants, vm: Vm, mfn: Mfn) -> Any:
    track, grant, frame = s.maptrack[vm, mfn], s.grants[mfn], s.frames[mfn]
    return (
        implies(grant.offered, frame.owned and grant.to != frame.vm)
        and implies(track.host or track.device, s.granted(vm, mfn))
        and implies(track.device, grant.writable and frame.type == Type.WRITABLE)
    )


@law(
    "ISO-1", "An entry that maps a granted frame is recorded as the grant's mapping, and is writable only if the grant is writable."
)
def granted_entries_are_tracked(s: DirectGrants, mfn: Mfn, index: Index) -> Any:
    held = s.held[mfn, index]
    track = s.maptrack[s.frames[mfn].vm, held.mfn]
    return (
        implies(
            held.live and held.granted,
            track.host
            and track.table == mfn
            and track.index == index
            and implies(held.writable, s.grants[held.mfn].writable)
            and not held.link,
        )
        and implies(held.live and not held.granted, s.frames[held.mfn].vm == s.frames[mfn].vm)
        and implies(held.granted, held.live)
    )


@law("ISO-1", "The entry recorded as a grant's mapping maps the granted frame, and lies in a level 1 table of the grantee.")
def tracked_entries_map_the_grant(s: DirectGrants, vm: Vm, mfn: Mfn) -> Any:
    track = s.maptrack[vm, mfn]
    held, home = s.held[track.table, track.index], s.frames[track.table]
    return implies(
        track.host, held.live and held.granted and held.mfn == mfn and home.owned and home.vm == vm and home.type == Type.L1
    )


@law("EQV-2", "While a grant's device mapping is recorded, the IOMMU lets the grantee's devices reach the frame.")
def granted_devices_reach_the_frame(s: DirectGrants, vm: Vm, mfn: Mfn) -> Any:
    return implies(s.maptrack[vm, mfn].device, s.iommu[vm, mfn])


@law("EQV-2", "A grantee's mapping of a granted frame, by entry or by device, is removed or moved only in the grantee's own steps.")
def mapped_grants_stay_mapped(s: DirectGrants, before: DirectGrants, actor: Vm, vm: Vm, mfn: Mfn) -> Any:
    was, now = before.maptrack[vm, mfn], s.maptrack[vm, mfn]
    return implies(
        actor != vm,
        implies(was.host, now.host and now.table == was.table and now.index == was.index) and implies(was.device, now.device),
    )


@law("ISO-3", "A segment descriptor page holds a call gate only if its VM may have call gates.")
def descriptors_in_use_are_fit(s: DirectGrants, mfn: Mfn, index: Index) -> Any:
    frame = s.frames[mfn]
    return implies(frame.type == Type.SEGMENT and s.words[mfn, index].gate, s.gates[frame.vm])


@law("ISO-3", "A vCPU's GDT lies in a segment descriptor page that the vCPU's VM owns.")
def descriptors_lie_in_descriptor_pages(s: DirectGrants, vm: Vm, vcpu: Vcpu) -> Any:
    gdt = s.gdt[vm, vcpu]
    frame = s.frames[gdt.mfn]
    return implies(gdt.loaded, frame.owned and frame.vm == vm and frame.type == Type.SEGMENT)


@law("ISO-5", "Only steps of a frame's owner change the frame's grant.")
def grants_are_their_owners(s: DirectGrants, before: DirectGrants, actor: Vm, mfn: Mfn) -> Any:
    return implies(s.grants[mfn] != before.grants[mfn], before.owns(actor, mfn))


@law("ISO-5", "Only steps of a frame's owner change the frame's entry in the machine-to-physical table.")
def machphys_entries_are_their_owners(s: DirectGrants, before: DirectGrants, actor: Vm, mfn: Mfn) -> Any:
    return implies(s.m2p[mfn] != before.m2p[mfn], before.owns(actor, mfn))


@law("ISO-5", "Only a step of a frame's owner passes the frame to another VM.")
def frames_are_given_by_their_owners(s: DirectGrants, before: DirectGrants, actor: Vm, mfn: Mfn) -> Any:
    was, now = before.frames[mfn], s.frames[mfn]
    return implies(was.owned and now.owned and now.vm != was.vm, was.vm == actor)


# ---------------------------------------------------------------- answers


def may_become_writable(frame: TypedFrame) -> Any:
    """Whether a frame may be used as writable memory (once more): nothing uses it as anything else."""
    return frame.standing == Standing.PLAIN and (frame.type == Type.WRITABLE or frame.uses == 0)


def is_unchanged(s: DirectGrants, before: DirectGrants, mfn: Mfn, index: Index) -> Any:
    """Whether a frame, a word of it, and what an entry in it holds are as they were."""
    return (
        s.frames[mfn] == before.frames[mfn]
        and s.words[mfn, index] == before.words[mfn, index]
        and s.held[mfn, index] == before.held[mfn, index]
    )


@law(
    "EQV-2",
    "A request to change a frame's grant either sets the grant as the owner asked, or is refused and leaves the grant unchanged.",
)
def grants_are_what_was_asked_for(s: DirectGrants, before: DirectGrants, outcome: GrantChanged) -> Any:
    now = s.grants[outcome.mfn]
    return implies(outcome.done, now == outcome.asked) and implies(not outcome.done, now == before.grants[outcome.mfn])


@law("EQV-2", "The owner of a frame can change the frame's grant exactly while no VM has mapped the frame by the grant.")
def grants_change_while_unmapped(s: DirectGrants, before: DirectGrants, outcome: GrantChanged) -> Any:
    mapped = count(before.maptrack, lambda track, vm, frame: frame == outcome.mfn and (track.host or track.device))
    return outcome.done == (mapped == 0)


@law("ISO-1", "Only the grantee of a frame can request a mapping by the grant, and only in a level 1 table that the grantee owns.")
def grants_are_mapped_by_those_they_are_for(s: DirectGrants, before: DirectGrants, outcome: GrantEntryMapped, actor: Vm) -> Any:
    return before.granted(actor, outcome.mfn) and before.owns(actor, outcome.table) and before.frames[outcome.table].type == Type.L1


@law(
    "EQV-2",
    "A request to map a granted frame succeeds exactly if the address is aligned, the entry maps no grant, and the "
    "rights can be given.",
)
def grants_are_mapped_where_they_can_be(s: DirectGrants, before: DirectGrants, outcome: GrantEntryMapped) -> Any:
    grant, frame = before.grants[outcome.mfn], before.frames[outcome.mfn]
    return outcome.done == (
        outcome.aligned
        and not before.held[outcome.table, outcome.index].granted
        and implies(outcome.writable, grant.writable and may_become_writable(frame))
    )


@law("EQV-2", "After a granted frame is mapped, the mapping is recorded at the requested entry, with the requested write right.")
def mapped_grants_are_as_asked_for(s: DirectGrants, outcome: GrantEntryMapped, actor: Vm) -> Any:
    track, held = s.maptrack[actor, outcome.mfn], s.held[outcome.table, outcome.index]
    return implies(
        outcome.done,
        track.host and track.table == outcome.table and track.index == outcome.index and held.writable == outcome.writable,
    )


@law("EQV-2", "A refused grant map request changes no frame record, no memory word, and no page-table entry's reference.")
def refused_grants_change_nothing(s: DirectGrants, before: DirectGrants, outcome: GrantEntryMapped, mfn: Mfn, index: Index) -> Any:
    return implies(not outcome.done, is_unchanged(s, before, mfn, index))


@law(
    "EQV-2",
    "A request to map a granted frame for devices succeeds exactly if the grant is writable and the frame can have the "
    "writable type.",
)
def devices_are_let_where_they_can_be(s: DirectGrants, before: DirectGrants, outcome: GrantDeviceMapped, actor: Vm) -> Any:
    grant, frame = before.grants[outcome.mfn], before.frames[outcome.mfn]
    return outcome.done == (grant.writable and may_become_writable(frame)) and implies(
        outcome.done, s.maptrack[actor, outcome.mfn].device
    )


@law("EQV-2", "A refused device mapping of a grant changes no frame record, no memory word, and no page-table entry's reference.")
def refused_devices_change_nothing(
    s: DirectGrants, before: DirectGrants, outcome: GrantDeviceMapped, mfn: Mfn, index: Index
) -> Any:
    return implies(not outcome.done, is_unchanged(s, before, mfn, index))


@law("EQV-2", "A VM can set a frame's gfn in the machine-to-physical table exactly if the VM owns the frame.")
def machphys_entries_are_as_asked_for(s: DirectGrants, before: DirectGrants, outcome: MachphysUpdated, actor: Vm) -> Any:
    return outcome.done == before.owns(actor, outcome.mfn) and implies(outcome.done, s.m2p[outcome.mfn] == outcome.gfn)


@law("EQV-2", "A machine-to-physical update changes no frame record, no memory word, and no page-table entry's reference.")
def machphys_updates_change_no_frame(
    s: DirectGrants, before: DirectGrants, outcome: MachphysUpdated, mfn: Mfn, index: Index
) -> Any:
    return is_unchanged(s, before, mfn, index)


@law(
    "EQV-2",
    "A frame can become a GDT exactly if it is plain memory, and either has the segment type or is unused without "
    "forbidden call gates.",
)
def descriptors_are_set_where_they_can_be(s: DirectGrants, before: DirectGrants, outcome: DescriptorsSet, actor: Vm) -> Any:
    frame = before.frames[outcome.mfn]
    gates = count(before.words, lambda word, table, index: table == outcome.mfn and word.gate)
    return outcome.done == (
        frame.standing == Standing.PLAIN
        and (frame.type == Type.SEGMENT or (frame.uses == 0 and (gates == 0 or before.gates[actor])))
    )


@law("EQV-2", "A request to set a vCPU's GDT either sets it to the named frame, or is refused and leaves the GDT unchanged.")
def descriptors_are_what_was_asked_for(s: DirectGrants, before: DirectGrants, outcome: DescriptorsSet, actor: Vm) -> Any:
    now, was = s.gdt[actor, outcome.vcpu], before.gdt[actor, outcome.vcpu]
    return implies(outcome.done, now.loaded and now.mfn == outcome.mfn) and implies(not outcome.done, now == was)


@law("EQV-2", "A refused request to set a vCPU's GDT changes no frame record, no memory word, and no page-table entry's reference.")
def refused_descriptors_change_nothing(
    s: DirectGrants, before: DirectGrants, outcome: DescriptorsSet, mfn: Mfn, index: Index
) -> Any:
    return implies(not outcome.done, is_unchanged(s, before, mfn, index))
