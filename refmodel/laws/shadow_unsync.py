"""Shadow paging with unsync leaf tables: where shadows lead, and how stale they may be."""

from typing import Any

from refmodel.bare_levels import combined
from refmodel.language import implies, law
from refmodel.laws.isolation import keeps_out, leads_where_the_p2m_says
from refmodel.machine.cells import Cell
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.shadow import mirrors
from refmodel.mmu.shadow_unsync import ShadowUnsyncMmu


@law("ISO-1", "Every leaf shadow entry maps its gfn to a frame of guest memory, the p2m's mfn, with at most the p2m's rights.")
def leaf_entries_lead_where_the_p2m_says(s: ShadowUnsyncMmu, vm: Vm, table: Gfn, role: bool, page: Index) -> Any:
    entry = s.leaves[vm, table, role, page]
    return leads_where_the_p2m_says(s, vm, entry) and keeps_out(s, entry)


@law("ISO-1", "Every cached shadow entry maps its gfn to a frame of guest memory, the p2m's mfn, with at most the p2m's rights.")
def cached_entries_lead_where_the_p2m_says(s: ShadowUnsyncMmu, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, upper, page]
    return leads_where_the_p2m_says(s, vm, entry) and keeps_out(s, entry)


@law("ISO-3", "Every shadow link lies in the shadow of a traced root, and names a leaf table that has a shadow.")
def links_lead_to_shadows(s: ShadowUnsyncMmu, vm: Vm, root: Gfn, upper: Index) -> Any:
    link = s.links[vm, root, upper]
    return implies(link.present, s.traced[vm, root] and (s.synced[vm, link.table] or s.unsync[vm, link.table]))


@law("ISO-3", "A guest's leaf table that has no shadow table has no shadow entries.")
def only_shadows_have_entries(s: ShadowUnsyncMmu, vm: Vm, table: Gfn, role: bool, page: Index) -> Any:
    return implies(s.leaves[vm, table, role, page].present, s.synced[vm, table] or s.unsync[vm, table])


@law("EQV-5", "An unsync table is neither traced as a root nor in sync as a leaf table.")
def unsync_tables_are_leaves_only(s: ShadowUnsyncMmu, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.unsync[vm, gfn], not s.synced[vm, gfn] and not s.traced[vm, gfn])


@law("EQV-5", "A link from a root's shadow agrees with the guest's current entry, because stores to roots are trapped.")
def links_agree_with_the_guests(s: ShadowUnsyncMmu, vm: Vm, root: Gfn, upper: Index) -> Any:
    link = s.links[vm, root, upper]
    cell = s.guest_cell(vm, root, upper)
    return implies(
        link.present,
        cell.present
        and cell.executable == link.executable
        and cell.user == link.user
        and cell.gfn == link.table
        and cell.writable == link.writable,
    )


@law("EQV-5", "A leaf shadow entry of a table that is in sync agrees with the guest's current PTE.")
def synced_entries_agree_with_the_guests(s: ShadowUnsyncMmu, vm: Vm, table: Gfn, role: bool, page: Index) -> Any:
    entry = s.leaves[vm, table, role, page]
    return implies(
        entry.present and s.synced[vm, table],
        mirrors(entry, combined(Cell(True, role, True, user=True), s.guest_cell(vm, table, page))),
    )


@law("EQV-5", "A shadow entry that a vCPU walks agrees with the guest's current tables, or with an older PTE that may be cached.")
def shadows_stay_in_the_envelope(s: ShadowUnsyncMmu, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Any:
    entry = s.walked(vm, vcpu, upper, page)
    link = s.links[vm, s.paging[vm, vcpu].root, upper]
    return implies(
        link.present and entry.present,
        mirrors(entry, s.bare_walk(vm, vcpu, upper, page)) or mirrors(entry, s.bare_before(vm, vcpu, upper, page)),
    )


@law("EQV-5", "A cached shadow entry agrees with a guest translation that the bare machine's TLB may still hold.")
def cached_entries_stay_in_the_envelope(s: ShadowUnsyncMmu, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, upper, page]
    return implies(entry.present, mirrors(entry, s.bare_tlb[vm, vcpu, upper, page]))


@law("EQV-5", "No leaf shadow entry lets a guest write to a table that is traced or in sync.")
def leaf_entries_write_to_no_kept_table(s: ShadowUnsyncMmu, vm: Vm, table: Gfn, role: bool, page: Index) -> Any:
    entry = s.leaves[vm, table, role, page]
    return implies(entry.present and entry.writable, not s.traced[vm, entry.gfn] and not s.synced[vm, entry.gfn])


@law("EQV-5", "No cached shadow entry lets a guest write to a table that is traced or in sync.")
def cached_entries_write_to_no_kept_table(s: ShadowUnsyncMmu, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, upper, page]
    return implies(entry.present and entry.writable, not s.traced[vm, entry.gfn] and not s.synced[vm, entry.gfn])
