"""Resource control, the half about reach: a guest reaches only what it was given."""

from typing import Any

from refmodel.bare import BareMemory
from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.ept import EptEntry, EptMmu
from refmodel.mmu.replies import Handled
from refmodel.mmu.shadow import ShadowEntry, ShadowMmu
from refmodel.mmu.shadow_traced import ShadowTracedMmu
from refmodel.mmu.vtlb import VirtualTlbMmu
from refmodel.monitor.ballooning import Ballooning
from refmodel.monitor.copy_on_write import CopyOnWrite
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2m


def entry_of(s: EptMmu, vm: Vm, gfn: Gfn) -> EptEntry:
    """What a VM's EPT holds for a guest frame."""
    return s.ept[s.eptp[vm].mfn, gfn]


@law("ISO-1", "Every entry of a VM's EPT maps its gfn to the mfn in the p2m, with no more rights than the p2m gives.")
def ept_leads_where_the_p2m_says(s: EptMmu, vm: Vm, gfn: Gfn) -> Any:
    entry, backing = entry_of(s, vm, gfn), s.p2m[vm, gfn]
    return implies(
        s.eptp[vm].present and entry.present,
        backing.mapped and backing.mfn == entry.mfn and implies(entry.writable, backing.writable),
    )


def agrees(s: P2m, vm: Vm, gfn: Gfn, mfn: Mfn, writable: bool) -> Any:
    """Whether a translation of a page leads where the p2m says, with no more rights."""
    backing = s.p2m[vm, gfn]
    return backing.mapped and backing.mfn == mfn and implies(writable, backing.writable)


@law(
    "ISO-1",
    "A cached guest-physical mapping gives the p2m's mfn and at most the p2m's rights, or is stale while a flush is pending.",
)
def physical_mappings_lead_where_the_p2m_says(s: EptMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Any:
    mapping = s.physical_tlb[vm, vcpu, gfn]
    return implies(
        mapping.valid,
        s.may_translate(vm, gfn, mapping.mfn, mapping.writable)
        and (s.is_asked(vm, vcpu) or agrees(s, vm, gfn, mapping.mfn, mapping.writable)),
    )


@law("ISO-1", "A cached combined mapping gives the p2m's mfn and at most the p2m's rights, or is stale while a flush is pending.")
def combined_mappings_lead_where_the_p2m_says(s: EptMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    mapping, gfn = s.combined_tlb[vm, vcpu, page], s.bare_tlb[vm, vcpu, page].gfn
    return implies(
        mapping.valid,
        s.may_translate(vm, gfn, mapping.mfn, mapping.writable)
        and (s.is_asked(vm, vcpu) or agrees(s, vm, gfn, mapping.mfn, mapping.writable)),
    )


@law("ISO-1", "The frame behind a guest page is private to that page, or is shared.")
def a_backing_frame_is_owned_or_shared(s: P2m, vm: Vm, gfn: Gfn) -> Any:
    frame = s.frames[s.p2m[vm, gfn].mfn]
    return implies(
        s.p2m[vm, gfn].resident, frame.use == Use.SHARED or (frame.use == Use.PRIVATE and frame.vm == vm and frame.gfn == gfn)
    )


@law("ISO-2", "A page in a shared frame is read-only in the p2m, and no processor has a stale writable translation of the page.")
def a_shared_frame_is_read_only(s: P2m, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(entry.resident and not s.is_write_protected(vm, gfn), s.frames[entry.mfn].use != Use.SHARED)


@law("ISO-2", "No EPT entry lets a guest write to a shared frame.")
def no_ept_entry_writes_to_a_shared_frame(s: EptMmu, vm: Vm, gfn: Gfn) -> Any:
    entry = entry_of(s, vm, gfn)
    return implies(s.eptp[vm].present and entry.present and entry.writable, s.frames[entry.mfn].use != Use.SHARED)


@law("ISO-2", "No cached guest-physical mapping lets a guest write to a shared frame.")
def no_physical_mapping_writes_to_a_shared_frame(s: EptMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Any:
    mapping = s.physical_tlb[vm, vcpu, gfn]
    return implies(mapping.valid and mapping.writable, s.frames[mapping.mfn].use != Use.SHARED)


@law("ISO-2", "No cached combined mapping lets a guest write to a shared frame.")
def no_combined_mapping_writes_to_a_shared_frame(s: EptMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    mapping = s.combined_tlb[vm, vcpu, page]
    return implies(mapping.valid and mapping.writable, s.frames[mapping.mfn].use != Use.SHARED)


@law("ISO-3", "Every present EPT entry maps a frame that holds guest memory.")
def no_ept_entry_reaches_the_monitor(s: EptMmu, vm: Vm, gfn: Gfn) -> Any:
    entry = entry_of(s, vm, gfn)
    return implies(s.eptp[vm].present and entry.present, guests_own(s, entry.mfn))


@law("ISO-3", "Every cached guest-physical mapping names a frame that holds guest memory, or a retired frame that awaits a flush.")
def no_physical_mapping_reaches_the_monitor(s: EptMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Any:
    mapping = s.physical_tlb[vm, vcpu, gfn]
    return implies(mapping.valid, is_or_was_the_guests(s, mapping.mfn))


@law("ISO-3", "Every cached combined mapping names a frame that holds guest memory, or a retired frame that awaits a flush.")
def no_combined_mapping_reaches_the_monitor(s: EptMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    mapping = s.combined_tlb[vm, vcpu, page]
    return implies(mapping.valid, is_or_was_the_guests(s, mapping.mfn))


def guests_own(s: P2m, mfn: Mfn) -> Any:
    """Whether a frame holds guest memory."""
    return s.frames[mfn].use == Use.PRIVATE or s.frames[mfn].use == Use.SHARED


def is_or_was_the_guests(s: P2m, mfn: Mfn) -> Any:
    """Whether a frame holds guest memory, or is retired: guest memory that a processor may still look for there."""
    return guests_own(s, mfn) or s.frames[mfn].use == Use.RETIRED


@law("ISO-3", "The frame of a VM's EPT table, in use or waiting to be freed, is recorded as a table of that VM.")
def a_table_is_the_monitors(s: EptMmu, vm: Vm) -> Any:
    eptp, frame = s.eptp[vm], s.frames[s.eptp[vm].mfn]
    return implies(eptp.present, eptp.mfn != NOTHING) and implies(eptp.mfn != NOTHING, frame.use == Use.TABLE and frame.vm == vm)


@law("ISO-3", "An EPT table that waits to be freed has no present entries.")
def tables_given_up_are_empty(s: EptMmu, mfn: Mfn, gfn: Gfn) -> Any:
    return implies(s.ept[mfn, gfn].present, s.eptp[s.frames[mfn].vm].present)


@law("ISO-3", "Only a frame that is recorded as a table holds EPT entries.")
def only_tables_hold_entries(s: EptMmu, mfn: Mfn, gfn: Gfn) -> Any:
    return implies(s.frames[mfn].use != Use.TABLE, not s.ept[mfn, gfn].present)


@law("ISO-4", "A page that is newly given to a guest holds zeroes.")
def a_new_page_holds_nothing(s: P2m, before: P2m, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(entry.resident and s.has_memory(vm, gfn) and not before.has_memory(vm, gfn), s.memory[entry.mfn].is_zero())


@law("ISO-2", "The contents of a shared frame do not change while the frame is shared.")
def shared_frames_hold_what_they_held(s: CopyOnWrite, before: CopyOnWrite, mfn: Mfn) -> Any:
    return implies(before.frames[mfn].use == Use.SHARED and s.frames[mfn].use == Use.SHARED, before.memory[mfn] == s.memory[mfn])


@law(
    "ISO-6",
    "On the bare machine, only a VM's own steps remove or change its memory, except granted stores and pages hinted as free.",
)
def what_a_vm_knows_changes_by_its_own_steps(s: BareMemory, before: BareMemory, actor: Vm, vm: Vm, gfn: Gfn) -> Any:
    return implies(
        before.plugged[vm, gfn] and vm != actor and not before.lets_store(vm, gfn, actor),
        s.plugged[vm, gfn] and (s.bare_memory[vm, gfn] == before.bare_memory[vm, gfn] or before.is_called_free(vm, gfn)),
    )


@law("ISO-6", "Only a VM's own steps change the size of its balloon; the monitor can only set a target.")
def a_balloon_is_its_guests(s: Ballooning, before: Ballooning, actor: Vm, vm: Vm) -> Any:
    return implies(vm != actor, s.balloon[vm].actual == before.balloon[vm].actual)


@law("ISO-5", "Only a VM's own steps change the contents of its memory, except stores by VMs that have mapped a page writable.")
def memory_changes_by_its_owner_only(s: P2m, before: P2m, actor: Vm, vm: Vm, gfn: Gfn) -> Any:
    was, now = before.p2m[vm, gfn], s.p2m[vm, gfn]
    return implies(
        was.resident and before.has_memory(vm, gfn) and vm != actor and not before.lets_store(vm, gfn, actor),
        s.has_memory(vm, gfn) and implies(now.resident, before.memory[was.mfn] == s.memory[now.mfn]),
    )


@law("ISO-5", "Only a VM's own steps change the registers of its vCPUs.")
def registers_change_by_their_owner_only(s: BareMemory, before: BareMemory, actor: Vm, vm: Vm, vcpu: Vcpu) -> Any:
    was, now = before.paging[vm, vcpu], s.paging[vm, vcpu]
    return implies(vm != actor, was == now)


@law("ISO-5", "Serving an exit of one VM installs no EPT entry for another VM.")
def an_exit_serves_its_own_vm(s: EptMmu, before: EptMmu, outcome: Handled, vm: Vm, gfn: Gfn, write: bool) -> Any:
    return implies(outcome.vm != vm and s.installed(vm, gfn, write), before.installed(vm, gfn, write))


# ---------------------------------------------------------------- shadow entries, walked or remembered


def leads_where_the_p2m_says(s: P2m, vm: Vm, entry: ShadowEntry) -> Any:
    """To the frame behind the guest frame that it stands for, with no more rights."""
    backing = s.p2m[vm, entry.gfn]
    return implies(entry.present, backing.mapped and backing.mfn == entry.mfn and implies(entry.writable, backing.writable))


def keeps_out(s: P2m, entry: ShadowEntry) -> Any:
    """It lets nobody write to a shared frame, and reaches none that holds no guest's memory."""
    return implies(entry.present and entry.writable, s.frames[entry.mfn].use != Use.SHARED) and implies(
        entry.present, guests_own(s, entry.mfn)
    )


@law("ISO-1", "A cached shadow entry maps its gfn to the mfn in the p2m, with no more rights than the p2m gives.")
def cached_shadow_entries_lead_where_the_p2m_says(s: ShadowMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    return leads_where_the_p2m_says(s, vm, s.tlb[vm, vcpu, page])


@law("ISO-2", "No cached shadow entry lets a guest write to a shared frame.")
def no_cached_shadow_entry_writes_to_a_shared_frame(s: ShadowMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, page]
    return implies(entry.present and entry.writable, s.frames[entry.mfn].use != Use.SHARED)


@law("ISO-3", "Every cached shadow entry maps a frame that holds guest memory.")
def no_cached_shadow_entry_reaches_the_monitor(s: ShadowMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, page]
    return implies(entry.present, guests_own(s, entry.mfn))


@law("ISO-1", "A vCPU's shadow entry maps its gfn to the mfn in the p2m, with no more rights than the p2m gives.")
def shadow_entries_lead_where_the_p2m_says(s: VirtualTlbMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    return leads_where_the_p2m_says(s, vm, s.shadow[vm, vcpu, page])


@law("ISO-3", "A vCPU's shadow entry maps a frame that holds guest memory, and is not writable if the frame is shared.")
def shadow_entries_keep_out(s: VirtualTlbMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    return keeps_out(s, s.shadow[vm, vcpu, page])


@law(
    "ISO-1",
    "A shadow entry of a write-protected guest table maps its gfn to the mfn in the p2m, with no more rights than the p2m gives.",
)
def mirrored_entries_lead_where_the_p2m_says(s: ShadowTracedMmu, vm: Vm, root: Gfn, page: Index) -> Any:
    return leads_where_the_p2m_says(s, vm, s.mirror[vm, root, page])


@law(
    "ISO-3",
    "A shadow entry of a write-protected guest table maps a frame that holds guest memory, "
    "and is not writable if the frame is shared.",
)
def mirrored_entries_keep_out(s: ShadowTracedMmu, vm: Vm, root: Gfn, page: Index) -> Any:
    return keeps_out(s, s.mirror[vm, root, page])
