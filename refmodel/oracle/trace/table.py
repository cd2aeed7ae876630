"""The one table of events: what each does to the tables, which clauses it can break, and who emits it.

The schema, the list of kinds, and the chapter's table (specs/traces.md) are made of these rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Union

import msgspec

from refmodel.language.json_schemas import steady
from refmodel.oracle.trace import crossing, dumps, guest, linear, silence, stretches
from refmodel.oracle.trace import events as e
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.effects import logging, mechanisms, memory, slots, swapping, translations
from refmodel.oracle.trace.knowledge import Knowledge


class Row(NamedTuple):
    """An event."""

    event: type[e.Event]
    effect: Callable[[Knowledge, Any], None]
    changes: str
    """The tables that it changes, and with them whatever they say of each other."""
    clauses: str
    """The clauses that it can break."""
    emitters: str
    """Which implementations can report it, and how they call it."""
    fills: bool = False
    """Whether it changes what a guest finds in its memory."""

    @property
    def kind(self) -> str:
        return str(self.event.__struct_config__.tag)


def abort(k: Knowledge, event: e.Abort) -> None:
    raise Deviates("EFF-3", "the_monitor_never_aborts", "The monitor never aborts.", why=event.why)


def gap(k: Knowledge, event: e.Gap) -> None:
    k.lose()


def _changed_in_silence(row: Row) -> frozenset[str]:
    """The tables that an event changes: none, if it is a dump; those of who reaches pages, if it is about translations; and any, if
    it is about what processors have cached of guests' tables, which is in none, or lets a page lose its frame."""
    home = row.effect.__module__
    if row.changes == "all" or home == linear.__name__ or row.event is e.Report:
        return silence.WHERE_PAGES_LIE | silence.REACHED
    if home == dumps.__name__:
        return frozenset()
    return frozenset(row.changes.split()) | (silence.REACHED if home == translations.__name__ else frozenset())


def header(k: Knowledge, event: e.Header) -> None:
    unknown = [kind for kind in event.silent if kind not in KINDS]
    if unknown:
        raise Inconsistent("silent", f"there are no events {', '.join(unknown)}")
    if told := sorted({"gap", "trace"}.intersection(event.silent)):
        raise Inconsistent("silent", f"{' and '.join(told)} cannot happen unreported; expected kinds of what the monitor does")
    for field in ("window", "skew"):
        if event.order == "total" and getattr(event, field) is not None:
            raise Inconsistent(field, 'says which events of two CPUs may be swapped; expected "order":"cpu" beside it')
    k.flushes_told, k.marks_late, k.silent = event.flushes == "told", event.marks == "late", frozenset(event.silent)
    rows = [row for row in ROWS if row.kind in k.silent]
    k.silent_fills = any(row.fills for row in rows)
    k.silent_changes = frozenset().union(*(_changed_in_silence(row) for row in rows))
    k.silent_moves_few = bool(k.silent_changes) and {row.kind for row in rows if _changed_in_silence(row)} <= silence.NARROW
    k.lent.clear()
    k.converting.clear()
    k.start(closed=event.start == "power-on")
    k.paused_otherwise = "pause" in k.silent


ROWS: tuple[Row, ...] = (
    Row(e.Header, header, "all", "", "whoever writes the trace"),
    Row(e.Gap, gap, "all", "",
        "ftrace (LOST EVENTS), trace-cmd (EVENTS DROPPED), xentrace (TRC_LOST_RECORDS), full buffers"),
    # what a guest, or a device, saw
    Row(e.Load, guest.load, "",
        "ISO-1 ISO-4 EQV-1 EQV-2", "emulators, an instrumented guest"),
    Row(e.Store, guest.store, "bare_memory frames memory p2m slots",
        "ISO-1 ISO-2 ISO-5 EQV-1 EQV-2 EQV-4", "emulators, an instrumented guest",
        fills=True),
    Row(e.DmaWrite, guest.dma_write, "bare_memory frames memory p2m slots",
        "ISO-1 ISO-2 ISO-3 ISO-5 EQV-1 EQV-4",
        "device models and vhost backends: none today; QEMU address_space_map (a window)", fills=True),
    Row(e.DmaRead, guest.dma_read, "",
        "ISO-1 ISO-3 ISO-4 EQV-1", "device models and vhost backends: none today"),
    Row(e.Hole, guest.hole, "",
        "EQV-2", "KVM kvm_mmio; QEMU memory_region_ops_read, _write; Xen HVM_IOMEM_READ, _WRITE"),
    Row(e.Mmio, guest.mmio, "",
        "EQV-2", "KVM kvm_mmio, kvm_fast_mmio; QEMU memory_region_ops_*; Xen HVM_IOMEM_*"),
    Row(e.Exit, guest.exit_, "",
        "EFF-1", "KVM kvm_exit, kvm_page_fault; Xen HVM_NPF"),
    Row(e.Registers, linear.registers, "",
        "", "KVM kvm_cr, if the access exits; emulators"),
    Row(e.Invlpg, linear.invlpg, "",
        "", "KVM kvm_exit INVLPG, kvm_invlpga; Xen HVM_INVLPG"),
    Row(e.Invpcid, linear.invpcid, "",
        "", "KVM kvm_exit INVPCID, if it exits; emulators"),
    Row(e.Linear, crossing.access, "bare_memory frames memory p2m slots",
        "ISO-1 ISO-2 ISO-5 EQV-1 EQV-2 EQV-3 EQV-4", "emulators, an instrumented guest",
        fills=True),
    # memory comes, goes and moves
    Row(e.Ram, memory.ram, "bare_memory marks_told p2m plugged sent",
        "", "any VMM, at its start", fills=True),
    Row(e.Populate, memory.populate, "bare_memory derived frames marks_told memory p2m plugged sent slots",
        "ISO-1 ISO-5 RES-2", "Xen POPULATE_ON_DEMAND records, P2M_ENTRY; KVM kvm_mmu_spte_requested", fills=True),
    Row(e.Promise, memory.promise, "bare_memory destination frames marks_told p2m plugged sent slots",
        "ISO-1 ISO-3 EQV-1", "Xen POD; a VMM that discards (MADV_DONTNEED)", fills=True),
    Row(e.Fill, memory.fill, "bare_memory derived frames memory p2m plugged slots",
        "ISO-1 ISO-2 ISO-3 RES-2 EQV-4",
        "cloud-hypervisor fill_saved_regions, uffd::copy; Firecracker guest_memory_from_file; QEMU "
        "postcopy_place_page, ram_load_loop", fills=True),
    Row(e.Plug, memory.plug, "bare_memory marks_told p2m plugged sent",
        "", "QEMU virtio_mem_plug_request; cloud-hypervisor state_change_request; Firecracker update_slot",
        fills=True),
    Row(e.Unplug, memory.unplug, "bare_memory frames marks_told p2m plugged private sent slots tracked",
        "ISO-1 ISO-3", "QEMU virtio_mem_unplug_request; cloud-hypervisor state_change_request; Xen DECREASE_RESERVATION",
        fills=True),
    Row(e.SlotAdd, slots.slot_add, "bare_memory marks_told p2m plugged sent",
        "ISO-1", "QEMU kvm_set_user_memory; cloud-hypervisor create_user_memory_region; Firecracker "
        "set_user_memory_region", fills=True),
    Row(e.SlotMove, slots.slot_move, "bare_memory frames marks_told memory p2m plugged private sent slots",
        "ISO-1 ISO-3 EQV-5", "QEMU kvm_set_user_memory; OpenVMM map_region", fills=True),
    Row(e.SlotDelete, slots.slot_delete, "bare_memory frames marks_told p2m plugged private sent slots tracked",
        "ISO-1 ISO-3", "QEMU kvm_set_user_memory; cloud-hypervisor remove_user_memory_region", fills=True),
    Row(e.VmDestroyed, memory.vm_destroyed, "bare_memory borrowed derived destination dma frames grants lingering marks_told "
        "p2m plugged private sent slots tracked",
        "ISO-1 ISO-3", "cloud-hypervisor vm/deleted; the end of the VMM's process", fills=True),
    Row(e.Report, memory.report, "bare_memory frames memory p2m slots",
        "ISO-2 EQV-1", "cloud-hypervisor process_reporting_queue; Firecracker process_free_page_reporting_queue",
        fills=True),
    Row(e.Move, memory.move, "frames memory p2m",
        "ISO-1 ISO-3 RES-2 EQV-1", "Linux set_migration_pte and remove_migration_pte"),
    Row(e.Convert, memory.convert, "bare_memory frames memory p2m private slots",
        "ISO-1", "KVM kvm_vm_set_mem_attributes; QEMU kvm_convert_memory", fills=True),
    Row(e.Free, memory.free, "bare_memory destination frames p2m",
        "ISO-1 ISO-3", "Linux mm_page_free"),
    Row(e.Table, memory.table_, "frames p2m",
        "ISO-3 RES-2", "KVM kvm_tdp_mmu_spte_changed to a table, the sptep of kvm_mmu_set_spte"),
    # translations
    Row(e.Map, translations.map_, "bare_memory borrowed derived executable frames lingering memory p2m slots",
        "ISO-1 ISO-2 ISO-3 ISO-5 EQV-1 EQV-4 EQV-5",
        "KVM kvm_tdp_mmu_spte_changed, kvm_mmu_set_spte; Xen SET_P2M_ENTRY; OpenVMM map range"),
    Row(e.Split, translations.split, "",
        "ISO-1", "KVM kvm_mmu_split_huge_page; Xen SUPERPAGE_SPLINTER"),
    Row(e.Unmap, translations.unmap, "borrowed derived lingering",
        "ISO-1 ISO-3", "KVM kvm_tdp_mmu_spte_changed to empty, kvm_unmap_hva_range; OpenVMM unmap range"),
    Row(e.Protect, translations.protect, "borrowed derived lingering p2m sent",
        "", "KVM kvm_tdp_mmu_spte_changed without W; userfaultfd write protection"),
    Row(e.Unprotect, translations.unprotect, "bare_memory derived frames memory p2m slots",
        "ISO-1 ISO-2 EQV-4 EQV-5", "KVM fast_page_fault"),
    Row(e.Track, translations.track, "bare_memory borrowed derived frames memory p2m slots tracked",
        "ISO-1", "KVM kvm_write_track_add_gfn (fentry); shadow_page tracking"),
    Row(e.Untrack, translations.untrack, "tracked",
        "", "KVM kvm_write_track_remove_gfn (fentry)"),
    Row(e.FlushBegin, translations.flush_begin, "",
        "", "KVM kvm_flush_remote_tlbs, _range (fentry)"),
    Row(e.FlushEnd, translations.flush_end, "lingering p2m sent",
        "", "KVM kvm_flush_remote_tlbs, _range (fexit)"),
    Row(e.DmaMap, translations.dma_map, "bare_memory dma frames memory p2m sent slots",
        "ISO-1 ISO-2 ISO-3 ISO-5 EQV-1 EQV-4 EQV-5",
        "Linux iommu:map; QEMU iommufd_backend_map_dma, vfio_listener_region_add_ram"),
    Row(e.DmaUnmap, translations.dma_unmap, "dma",
        "", "Linux iommu:unmap; QEMU iommufd_backend_unmap_dma"),
    # mechanisms
    Row(e.Share, mechanisms.share, "frames memory p2m slots",
        "ISO-1 ISO-2 ISO-3 ISO-5 RES-2 EQV-1", "Linux ksm_merge_one_page, ksm_merge_with_ksm_page"),
    Row(e.Break, mechanisms.break_, "bare_memory frames memory p2m slots",
        "ISO-1 ISO-3 RES-2 EQV-1 EQV-4 EQV-5", "copy on write: no implementation today; Xen mem_sharing (not reported)"),
    Row(e.Inflate, mechanisms.inflate, "bare_memory destination frames marks_told p2m plugged sent slots",
        "ISO-1 ISO-3 EQV-1", "QEMU virtio_balloon_handle_output; cloud-hypervisor release_memory_range; Firecracker "
        "discard_range; Xen DECREASE_RESERVATION", fills=True),
    Row(e.Deflate, mechanisms.deflate, "bare_memory derived frames marks_told memory p2m plugged sent slots",
        "ISO-1 RES-1 RES-2", "QEMU virtio_balloon_handle_output; Xen POPULATE_PHYSMAP", fills=True),
    Row(e.Balloon, mechanisms.balloon, "balloon",
        "RES-1", "QEMU virtio_balloon_set_config"),
    Row(e.WriteBack, swapping.write_back, "p2m slots swap",
        "RES-1 EQV-1", "Linux mm_vmscan_write_folio"),
    Row(e.SwapOut, swapping.swap_out, "frames p2m slots swap",
        "ISO-3 EQV-1", "Linux, by the unmap that follows"),
    Row(e.SwapIn, swapping.swap_in, "bare_memory frames memory p2m slots swap",
        "ISO-1 ISO-3 RES-2 EQV-1", "KVM kvm_try_async_get_page, kvm_async_pf_completed"),
    Row(e.Grant, mechanisms.grant_, "grants",
        "ISO-1 ISO-5", "Xen MEM_PAGE_GRANT_MAP", fills=True),
    Row(e.Revoke, mechanisms.revoke, "grants",
        "ISO-1", "Xen MEM_PAGE_GRANT_UNMAP", fills=True),
    Row(e.Alias, mechanisms.alias, "grants",
        "ISO-1", "QEMU, for aliases of memory regions; hardware that ignores address bits", fills=True),
    # the dirty log
    Row(e.Mark, logging.mark, "marks_told sent",
        "", "KVM mark_page_dirty_in_slot (fentry)"),
    Row(e.TakeMark, logging.take_mark, "marks_told sent",
        "", "QEMU migration_bitmap_clear_dirty; cloud-hypervisor dirty_log; Firecracker get_dirty_bitmap"),
    Row(e.RingPush, logging.ring_push, "marks_told sent",
        "EQV-4", "KVM kvm_dirty_ring_push"),
    Row(e.RingHarvest, logging.ring_harvest, "marks_told sent",
        "EQV-4", "QEMU kvm_dirty_ring_page"),
    Row(e.RingReset, logging.ring_reset, "derived lingering p2m sent",
        "EQV-4", "KVM kvm_dirty_ring_reset"),
    Row(e.RingFull, logging.ring_full, "",
        "EQV-4", "KVM kvm_dirty_ring_exit; QEMU kvm_dirty_ring_full"),
    Row(e.Send, logging.send, "destination marks_told p2m sent",
        "EQV-4", "QEMU ram_save_page; cloud-hypervisor send_memory_ranges; Firecracker dump_dirty"),
    Row(e.Resume, logging.resume, "",
        "EQV-4", "QEMU run states; cloud-hypervisor migration events"),
    Row(e.Pause, logging.pause, "",
        "", "QEMU vm_stop; cloud-hypervisor vm.pause; Firecracker PATCH /vm, Paused; Xen domain_pause"),
    Row(e.Unpause, logging.unpause, "",
        "", "QEMU vm_start; cloud-hypervisor vm.resume; Firecracker PATCH /vm, Resumed; Xen domain_unpause"),
    Row(e.Cancelled, logging.cancelled, "destination marks_told sent",
        "", "QEMU migrate_cancel, a migration that failed; also cloud-hypervisor and propolis"),
    # what the hardware held
    Row(e.Entry, dumps.entry_, "borrowed derived lingering p2m",
        "ISO-1 ISO-2 ISO-3", "any table walker: QEMU info tlb, debugfs, a TLB model"),
    Row(e.Backed, dumps.backed, "bare_memory frames memory p2m slots",
        "ISO-1 ISO-2 RES-1 EQV-1", "any dump of a p2m: Xen xl debug-keys, a VMM's own"),
    Row(e.FrameIs, dumps.frame_, "bare_memory frames memory p2m slots",
        "RES-1 RES-2", "Linux /proc/kpagecount; Xen page_info"),
    Row(e.Cell, guest.dumped, "",
        "EQV-1 EQV-2", "a memory dump, a debugger"),
    Row(e.Abort, abort, "", "EFF-3", "any: BUG, panic, an assertion"),
)

KINDS: dict[str, type[e.Event]] = {row.kind: row.event for row in ROWS}
"""Every event by its tag."""
EFFECTS: dict[type[e.Event], Callable[[Knowledge, Any], None]] = {row.event: row.effect for row in ROWS}
OF_PAGES = frozenset(row.event for row in ROWS if issubclass(row.event, e.Pages))
"""The events that may be about several pages."""
ANY: Any = Union[tuple(KINDS.values())]  # noqa: UP007
"""Any event, for decoders."""


def effect(k: Knowledge, event: Any) -> None:
    """Hold any event against what is known; raises ``Deviates`` or ``Inconsistent``."""
    kind = type(event)
    judge = EFFECTS[kind]
    if kind in OF_PAGES and event.is_of_no_page and kind in HELD_TO_LAWS:
        k.believed += 1
    if kind in OF_PAGES and not (event.is_of_one_page or kind in (e.Map, e.Unprotect)):
        stretches.over(k, event, judge)
    else:
        judge(k, event)


HELD_TO_LAWS = frozenset(row.event for row in ROWS if row.clauses)
"""Events that something is held against. The others say what is so from now on, and are lawful by themselves."""


def schema() -> dict[str, object]:
    """The format as a JSON Schema, of one line."""
    made = steady(msgspec.json.schema(ANY))
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": f"refmodel trace, version {e.VERSION}: one line", **made}
