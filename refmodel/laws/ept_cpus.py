"""EPT on many processors: what may still be cached where, and when a frame may be used again."""

from typing import Any

from refmodel.bare import Event
from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Cpu, Gfn, Mfn, Vm
from refmodel.mmu.ept_cpus import CpuSeen, EptCpusMmu, Mapping, Phase, Role


def agrees(s: EptCpusMmu, vm: Vm, gfn: Gfn, found: Mapping) -> Any:
    """Whether a mapping gives what the p2m gives, or less."""
    backing = s.p2m[vm, gfn]
    return backing.valid and backing.mfn == found.mfn and (backing.writable or not found.writable)


@law("ISO-1", "What a processor may use of a VM's cached translations without forgetting first agrees with the p2m.")
def fresh_translations_agree(s: EptCpusMmu, cpu: Cpu, vm: Vm, gfn: Gfn) -> Any:
    tags = s.tags[vm]
    found = s.tlb[cpu, tags.tag, gfn]
    return implies(tags.tagged and found.valid and not s.unflushed[cpu, tags.tag], agrees(s, vm, gfn, found))


@law("ISO-1", "What a processor that runs a VM has cached leads to the page, or to a frame that waits for it to forget.")
def usable_translations_lead_to_the_vms_frames(s: EptCpusMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.running[cpu]
    found = s.tlb[cpu, s.tags[here.vm].tag, gfn]
    frame = s.owners[found.mfn]
    return implies(here.active and found.valid, frame.vm == here.vm and frame.gfn == gfn
                   and (frame.role == Role.PAGE or (frame.role == Role.RETIRED and s.asked[cpu].pending)))


@law("ISO-1", "A table of a VM's, current or given up, leads where the p2m says.")
def tables_lead_where_the_p2m_says(s: EptCpusMmu, table: Mfn, gfn: Gfn) -> Any:
    entry, frame = s.ept[table, gfn], s.owners[table]
    return implies(entry.valid, (frame.role == Role.TABLE or frame.role == Role.GIVEN_UP) and agrees(s, frame.vm, gfn, entry))


@law("ISO-3", "A processor that runs a VM walks a table of that VM's.")
def loaded_tables_are_tables(s: EptCpusMmu, cpu: Cpu) -> Any:
    here = s.running[cpu]
    frame = s.owners[here.root]
    return implies(here.active, frame.vm == here.vm and (frame.role == Role.TABLE or frame.role == Role.GIVEN_UP))


@law("ISO-3", "A VM's current table is a frame kept for it.")
def current_tables_are_tables(s: EptCpusMmu, vm: Vm) -> Any:
    tags = s.tags[vm]
    frame = s.owners[tags.root]
    return implies(tags.rooted, frame.role == Role.TABLE and frame.vm == vm)


@law("ISO-4", "A page that comes to a guest is a page of zeroes.")
def a_populated_page_holds_nothing(s: EptCpusMmu, before: EptCpusMmu, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.plugged[vm, gfn] and not before.plugged[vm, gfn], s.memory[s.p2m[vm, gfn].mfn].is_zero())


@law("ISO-5", "What a VM's page holds is changed by that VM's own steps only.")
def pages_change_by_their_owner_only(s: EptCpusMmu, before: EptCpusMmu, actor: Vm, vm: Vm, gfn: Gfn) -> Any:
    was, now = before.p2m[vm, gfn], s.p2m[vm, gfn]
    return implies(was.valid and now.valid and vm != actor, before.memory[was.mfn] == s.memory[now.mfn])


@law("EQV-5", "No two VMs' translations carry the same tag.")
def tags_are_apart(s: EptCpusMmu, vm: Vm, other: Vm) -> Any:
    one, two = s.tags[vm], s.tags[other]
    return implies(one.tagged and two.tagged and one.tag == two.tag, vm == other)


@law("EQV-5", "A VM that is not tagged has no tag.")
def who_has_no_tag_is_not_tagged(s: EptCpusMmu, vm: Vm) -> Any:
    tags = s.tags[vm]
    return tags.tagged == (tags.tag != NOTHING) and tags.rooted == (tags.root != NOTHING)


@law("EQV-5", "A processor that runs a VM whose translations it has to forget was asked to.")
def who_must_forget_was_asked(s: EptCpusMmu, cpu: Cpu) -> Any:
    here, asked = s.running[cpu], s.asked[cpu]
    tags = s.tags[here.vm]
    return (implies(here.active, tags.tagged and tags.rooted)
            and implies(here.active and (s.unflushed[cpu, tags.tag] or here.root != tags.root), asked.pending)
            and implies(asked.pending, here.active and asked.vm == here.vm))


@law("EQV-5", "A frame that waits to be forgotten is not yet the page that will be there.")
def retired_frames_are_shown_to_nobody_new(s: EptCpusMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.running[cpu]
    found = s.tlb[cpu, s.tags[here.vm].tag, gfn]
    move = s.moving[here.vm, gfn]
    return implies(here.active and found.valid and s.owners[found.mfn].role == Role.RETIRED,
                   not s.plugged[here.vm, gfn] or (move.phase == Phase.COPIED and move.old == found.mfn and not found.writable))


@law("EQV-5", "While a page is copied no processor can write to it, but one that was not heard of yet.")
def a_page_that_is_copied_stays_as_it_is(s: EptCpusMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.running[cpu]
    found = s.tlb[cpu, s.tags[here.vm].tag, gfn]
    return implies(here.active and found.valid and found.writable and s.moving[here.vm, gfn].phase != Phase.RESTING,
                   s.moving[here.vm, gfn].phase == Phase.PROTECTED and s.asked[cpu].pending)


@law("EQV-1", "Each guest page holds what the bare machine's page holds, wherever it is.")
def pages_hold_what_the_bare_machines_hold(s: EptCpusMmu, vm: Vm, gfn: Gfn) -> Any:
    entry, move = s.p2m[vm, gfn], s.moving[vm, gfn]
    return (s.plugged[vm, gfn] == (entry.valid or move.phase == Phase.COPIED)
            and implies(entry.valid, s.memory[entry.mfn] == s.bare_memory[vm, gfn])
            and implies(move.phase == Phase.COPIED, s.memory[move.mfn] == s.bare_memory[vm, gfn]))


@law("EQV-1", "A frame that a page was moved from holds what the page holds, until every processor reads the new one.")
def a_frame_moved_from_holds_the_same(s: EptCpusMmu, mfn: Mfn) -> Any:
    frame = s.owners[mfn]
    return implies(frame.role == Role.RETIRED and s.moving[frame.vm, frame.gfn].phase == Phase.COPIED
                   and s.moving[frame.vm, frame.gfn].old == mfn,
                   s.memory[mfn] == s.bare_memory[frame.vm, frame.gfn])


@law("EQV-1", "What a load shows is what it shows on the bare machine.")
def loads_on_any_cpu_show_what_was_stored(s: EptCpusMmu, outcome: CpuSeen) -> Any:
    return implies(outcome.shown.event == Event.COMPLETED and outcome.due.event == Event.COMPLETED, outcome.shown == outcome.due)


@law("RES-2", "A frame is a page just where the p2m, or a move, leads to it.")
def pages_are_held(s: EptCpusMmu, mfn: Mfn) -> Any:
    frame = s.owners[mfn]
    backing, move = s.p2m[frame.vm, frame.gfn], s.moving[frame.vm, frame.gfn]
    return implies(frame.role == Role.PAGE, (backing.valid and backing.mfn == mfn)
                   or (move.phase == Phase.COPIED and move.mfn == mfn))


@law("RES-2", "What the p2m and moves lead to is the page's own frame.")
def backing_frames_are_pages(s: EptCpusMmu, vm: Vm, gfn: Gfn) -> Any:
    backing, move = s.p2m[vm, gfn], s.moving[vm, gfn]
    frame, new = s.owners[backing.mfn], s.owners[move.mfn]
    return (implies(backing.valid, frame.role == Role.PAGE and frame.vm == vm and frame.gfn == gfn)
            and implies(move.phase == Phase.COPIED, not backing.valid and new.role == Role.PAGE and new.vm == vm and new.gfn == gfn)
            and implies(move.phase == Phase.PROTECTED, backing.valid and not backing.writable))


@law("RES-2", "A table that is not given up is its VM's current one.")
def tables_are_current(s: EptCpusMmu, mfn: Mfn) -> Any:
    frame = s.owners[mfn]
    return implies(frame.role == Role.TABLE, s.tags[frame.vm].rooted and s.tags[frame.vm].root == mfn)


@law("EFF-1", "An access exits only for what the loaded table does not give.")
def accesses_on_any_cpu_do_not_exit(s: EptCpusMmu, outcome: CpuSeen) -> Any:
    return implies(outcome.shown.event == Event.EXITED, not s.lets(s.running[outcome.cpu].root, outcome.gfn, outcome.write))
