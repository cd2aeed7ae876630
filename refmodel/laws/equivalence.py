"""Equivalence: a guest cannot tell the monitored machine from the bare one."""

from typing import Any

from refmodel.bare import Event, Reply, Seen
from refmodel.language import NOTHING, implies, law
from refmodel.machine.cells import Cell, Mode
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.replies import Attempt, Filled, Handled, Result
from refmodel.mmu.shadow import ShadowEntry, ShadowMmu, mirrors
from refmodel.mmu.shadow_traced import ShadowTracedMmu
from refmodel.mmu.vtlb import VirtualTlbMmu
from refmodel.monitor.p2m import P2m


@law("EQV-1", "An access that completes shows the guest the same data as on the bare machine.")
def data_read_is_data_written(s: P2m, outcome: Seen) -> Any:
    shown, due = outcome.shown, outcome.due
    return implies(shown.event == Event.COMPLETED and due.event == Event.COMPLETED, shown.cell == due.cell)


@law("EQV-1", "Each guest page holds what the bare machine's page holds.")
def memory_is_the_bare_machines(s: P2m, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return s.plugged[vm, gfn] == s.has_memory(vm, gfn) and implies(entry.resident, s.memory[entry.mfn] == s.bare_memory[vm, gfn])


@law("EQV-2", "An access that does not exit completes or faults exactly as on the bare machine.")
def faults_come_when_due(s: P2m, outcome: Seen) -> Any:
    return implies(outcome.shown.event != Event.EXITED, outcome.shown.event == outcome.due.event)


@law("EQV-2", "An access that exits shows the guest no result, and the bare machine does not execute the access.")
def what_exits_has_not_happened(s: P2m, outcome: Seen) -> Any:
    return implies(outcome.shown.event == Event.EXITED, outcome.due == Reply() and outcome.shown == Reply())


@law(
    "EQV-2",
    "A second-stage fault reports missing memory only at a gfn without memory on the bare machine, and injects no page fault.",
)
def holes_are_real(s: P2m, outcome: Handled) -> Any:
    return implies(outcome.result == Result.HOLE, not s.plugged[outcome.vm, outcome.gfn]) and outcome.result != Result.REFLECTED


@law("EQV-5", "A cached combined mapping was made from a guest PTE that the bare machine's TLB may still hold.")
def staleness_stays_in_the_envelope(s: EptMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    mapping = s.combined_tlb[vm, vcpu, page]
    return implies(mapping.valid, mapping.guest == s.bare_tlb[vm, vcpu, page])


def is_tagged(s: EptMmu, vm: Vm, vcpu: Vcpu, eptp: Mfn) -> Any:
    """Whether a tag is the EPTP in use, or one that was given up and that the processor is to forget."""
    own = s.eptp[vm]
    return eptp != NOTHING and eptp == own.mfn and (own.present or s.is_asked(vm, vcpu))


@law("EQV-5", "A cached guest-physical mapping carries its VM's current EPTP, or an EPTP that its processor was asked to flush.")
def physical_mappings_carry_the_eptp_in_use(s: EptMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Any:
    mapping = s.physical_tlb[vm, vcpu, gfn]
    return implies(mapping.valid, is_tagged(s, vm, vcpu, mapping.eptp))


@law("EQV-5", "A cached combined mapping carries its VM's current EPTP, or an EPTP that its processor was asked to flush.")
def combined_mappings_carry_the_eptp_in_use(s: EptMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    mapping = s.combined_tlb[vm, vcpu, page]
    return implies(mapping.valid, is_tagged(s, vm, vcpu, mapping.eptp))


@law("EQV-2", "A linear access that exits shows the guest no result, and the bare machine does not execute the access.")
def what_exits_by_a_shadow_entry_has_not_happened(s: ShadowMmu, outcome: Attempt) -> Any:
    return implies(outcome.shown.event == Event.EXITED, outcome.due == Reply() and outcome.shown == Reply())


@law("EQV-1", "An access that completes through a shadow entry also completes on the bare machine, and shows the same data.")
def data_read_through_shadow_entries_is_data_written(s: ShadowMmu, outcome: Attempt) -> Any:
    shown, due = outcome.shown, outcome.due
    return implies(shown.event == Event.COMPLETED, shown.event == due.event and shown.cell == due.cell)


@law(
    "EQV-2",
    "A shadow fault is reflected to the guest, as a page fault or as missing memory, only if the bare machine reports the same.",
)
def reflected_faults_are_the_guests_own(s: ShadowMmu, outcome: Filled) -> Any:
    return given_as_due(outcome.result, outcome.reflected, outcome.due)


def given_as_due(result: Result, reflected: Reply, due: Reply) -> Any:
    """A fault of the guest's own is given to it as a page fault, and a hole as one; and that is what was due."""
    return implies(result == Result.REFLECTED, reflected.event == Event.PAGE_FAULT and due.event == Event.PAGE_FAULT) and implies(
        result == Result.HOLE, reflected.event == Event.HOLE and due.event == Event.HOLE
    )


@law(
    "EQV-5",
    "Under the vCPU's WP, SMEP and SMAP, a cached shadow entry gives at most the rights of a guest PTE that may still be cached.",
)
def cached_shadow_entries_stay_in_the_envelope(s: VirtualTlbMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    return in_the_envelope(s.tlb[vm, vcpu, page], s.bare_tlb[vm, vcpu, page], s.paging[vm, vcpu].mode)


@law(
    "EQV-5",
    "A cached shadow entry maps the gfn of a guest PTE that the bare machine's TLB may still hold, with at most that PTE's rights.",
)
def cached_mirrors_stay_in_the_envelope(s: ShadowTracedMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, page]
    return implies(entry.present, mirrors(entry, s.bare_tlb[vm, vcpu, page]))


@law(
    "EQV-5",
    "Under the vCPU's WP, SMEP and SMAP, a shadow entry gives at most the rights of a guest PTE that the guest's TLB may hold.",
)
def shadow_entries_stay_in_the_envelope(s: VirtualTlbMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    return in_the_envelope(s.shadow[vm, vcpu, page], s.bare_tlb[vm, vcpu, page], s.paging[vm, vcpu].mode)


@law(
    "EQV-5",
    "A shadow entry of a write-protected guest table maps the gfn of the guest's current PTE, "
    "with no more rights than the PTE gives.",
)
def mirrored_entries_agree_with_the_guests(s: ShadowTracedMmu, vm: Vm, root: Gfn, page: Index) -> Any:
    entry, table = s.mirror[vm, root, page], s.p2m[vm, root]
    return implies(entry.present, s.traced[vm, root] and table.mapped and mirrors(entry, s.memory[table.mfn][page]))


@law(
    "EQV-5",
    "No shadow entry lets a guest write to a traced guest table (a page table that the monitor write-protects to see every store).",
)
def mirrored_entries_write_to_no_traced_table(s: ShadowTracedMmu, vm: Vm, root: Gfn, page: Index) -> Any:
    entry = s.mirror[vm, root, page]
    return implies(entry.present and entry.writable, not s.traced[vm, entry.gfn])


@law("EQV-5", "No cached shadow entry lets a guest write to a traced guest table (a page table that the monitor write-protects).")
def cached_entries_write_to_no_traced_table(s: ShadowTracedMmu, vm: Vm, vcpu: Vcpu, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, page]
    return implies(entry.present and entry.writable, not s.traced[vm, entry.gfn])


def in_the_envelope(entry: ShadowEntry, bare: Cell, mode: Mode) -> Any:
    """A shadow entry gives no more than a guest's entry, whoever comes while WP, SMEP and SMAP are as they are."""
    supervisors = (
        not mode.wp
        and not entry.user
        and (not mode.smep or not bare.user or not entry.executable)
        and not (mode.smap and bare.user)
    )
    return implies(
        entry.present,
        mirrors(entry, bare)
        or (supervisors and bare.present and bare.gfn == entry.gfn and (bare.executable or not entry.executable)),
    )
