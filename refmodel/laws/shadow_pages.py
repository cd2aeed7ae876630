"""Shadow pages: each agrees with what its role says it was made of, and whatever leads to one is known."""

from typing import Any

from refmodel.bare import Event
from refmodel.bare_levels import LinearAttempt, path
from refmodel.language import NOTHING, implies, law
from refmodel.laws.equivalence import in_the_envelope
from refmodel.laws.isolation import keeps_out, leads_where_the_p2m_says
from refmodel.machine.cells import Access, Cell, Mode, permits
from refmodel.machine.names import Gfn, Index, ShadowPage, Vcpu, Vm
from refmodel.mmu.shadow import hides_from_smap
from refmodel.mmu.shadow_pages import Role, ShadowPagesMmu


@law(
    "ISO-1",
    "Every present entry of a shadow page maps its gfn to a frame of guest memory, the p2m's mfn, with at most the p2m's rights.",
)
def shadow_page_entries_lead_where_the_p2m_says(s: ShadowPagesMmu, shadow: ShadowPage, page: Index) -> Any:
    entry = s.leaves[shadow, page]
    return leads_where_the_p2m_says(s, s.roles[shadow].vm, entry) and keeps_out(s, entry)


@law("ISO-1", "Every cached shadow entry maps its gfn to a frame of guest memory, the p2m's mfn, with at most the p2m's rights.")
def remembered_entries_lead_where_the_p2m_says(s: ShadowPagesMmu, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, upper, page]
    return leads_where_the_p2m_says(s, vm, entry) and keeps_out(s, entry)


@law("EQV-5", "The root that a vCPU has loaded shadows the page in the guest's CR3, under the vCPU's current WP, SMEP and SMAP.")
def loaded_roots_are_the_guests(s: ShadowPagesMmu, vm: Vm, vcpu: Vcpu) -> Any:
    root = s.roots[vm, vcpu]
    role, paging = s.roles[root], s.paging[vm, vcpu]
    return implies(
        root != NOTHING,
        paging.enabled
        and role.used
        and role.root
        and not role.direct
        and role.vm == vm
        and role.gfn == paging.root
        and role.wp == paging.mode.wp
        and role.smep_andnot_wp == (paging.mode.smep and not paging.mode.wp)
        and role.smap_andnot_wp == (paging.mode.smap and not paging.mode.wp),
    )


@law(
    "EQV-5",
    "A root shadow page links only to a shadow page whose role matches the guest's current entry, including the entry's "
    "dirty flag.",
)
def links_lead_to_the_role_that_is_due(s: ShadowPagesMmu, shadow: ShadowPage, upper: Index) -> Any:
    root, above = s.roles[shadow], s.guest_cell(s.roles[shadow].vm, s.roles[shadow].gfn, upper)
    leaf = s.roles[s.links[shadow, upper]]
    return implies(
        s.links[shadow, upper] != NOTHING,
        root.used
        and root.root
        and not root.direct
        and above.present
        and leaf.used
        and not leaf.root
        and leaf.vm == root.vm
        and leaf.gfn == above.gfn
        and leaf.direct == above.large
        and leaf.dirty == (above.large and above.dirty)
        and leaf.writable == above.writable
        and leaf.user == above.user
        and leaf.executable == above.executable
        and leaf.wp == root.wp
        and leaf.smep_andnot_wp == root.smep_andnot_wp
        and leaf.smap_andnot_wp == root.smap_andnot_wp,
    )


@law("EQV-5", "A shadow entry of a guest PTE allows at most the accesses that the current PTE and the rights in its role allow.")
def shadow_page_entries_agree_with_the_guests(s: ShadowPagesMmu, shadow: ShadowPage, page: Index) -> Any:
    entry, role = s.leaves[shadow, page], s.roles[shadow]
    leaf = s.guest_cell(role.vm, role.gfn, page)
    return implies(
        entry.present and not role.direct,
        role.used and not role.root and in_the_envelope(entry, path(inherited(role), leaf), role_mode(role)),
    )


@law(
    "EQV-5",
    "An entry of a direct shadow page maps its part of the guest's large page, and allows at most the accesses that its "
    "role allows.",
)
def direct_entries_agree_with_the_guests(s: ShadowPagesMmu, shadow: ShadowPage, page: Index) -> Any:
    entry, role = s.leaves[shadow, page], s.roles[shadow]
    leaf = Cell(True, True, True, s.within[role.gfn, page], True, True, role.dirty)
    return implies(
        entry.present and role.direct,
        role.used and not role.root and in_the_envelope(entry, path(inherited(role), leaf), role_mode(role)),
    )


def inherited(role: Role) -> Cell:
    """What is above a shadow page."""
    return Cell(True, role.writable, role.executable, user=role.user, accessed=True)


def role_mode(role: Role) -> Mode:
    """The mode that a role's pages are made for."""
    return Mode(wp=role.wp, smep=role.smep_andnot_wp, smap=role.smap_andnot_wp)


@law(
    "EQV-5",
    "Under the vCPU's WP, SMEP and SMAP, a cached shadow entry gives at most the rights of a guest translation that may "
    "still be cached.",
)
def remembered_entries_stay_in_the_envelope(s: ShadowPagesMmu, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Any:
    return in_the_envelope(s.tlb[vm, vcpu, upper, page], s.bare_tlb[vm, vcpu, upper, page], s.paging[vm, vcpu].mode)


@law("EQV-4", "An entry of a root links to a shadow page only if the guest's entry has its accessed flag set.")
def links_are_of_accessed_entries(s: ShadowPagesMmu, shadow: ShadowPage, upper: Index) -> Any:
    role = s.roles[shadow]
    return implies(s.links[shadow, upper] != NOTHING, s.guest_cell(role.vm, role.gfn, upper).accessed)


@law("EQV-4", "A shadow page entry is present only if the guest's PTE is accessed, and writable only if the guest's PTE is dirty.")
def shadow_page_entries_need_no_more_flags(s: ShadowPagesMmu, shadow: ShadowPage, page: Index) -> Any:
    entry, role = s.leaves[shadow, page], s.roles[shadow]
    leaf = s.guest_cell(role.vm, role.gfn, page)
    return implies(entry.present and not role.direct, leaf.accessed and implies(entry.writable, leaf.dirty)) and implies(
        entry.present and role.direct and entry.writable, role.dirty
    )


@law(
    "EQV-4",
    "The guest translation behind a cached shadow entry has its accessed flag set, and also its dirty flag if the "
    "shadow entry is writable.",
)
def remembered_entries_need_no_more_flags(s: ShadowPagesMmu, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Any:
    entry, bare = s.tlb[vm, vcpu, upper, page], s.bare_tlb[vm, vcpu, upper, page]
    return implies(entry.present, bare.accessed and implies(entry.writable, bare.dirty))


@law("EQV-5", "Every guest table that has a shadow page is tracked for writes.")
def mirrored_pages_are_tracked(s: ShadowPagesMmu, shadow: ShadowPage) -> Any:
    role = s.roles[shadow]
    return implies(role.used and not role.direct, s.tracked[role.vm, role.gfn])


@law("EQV-5", "No shadow page entry lets a guest write to a tracked page, because the monitor would miss the store.")
def shadow_page_entries_write_to_no_tracked_page(s: ShadowPagesMmu, shadow: ShadowPage, page: Index) -> Any:
    entry = s.leaves[shadow, page]
    return implies(entry.present and entry.writable, not s.tracked[s.roles[shadow].vm, entry.gfn])


@law("EQV-5", "No cached shadow entry lets a guest write to a tracked page.")
def remembered_entries_write_to_no_tracked_page(s: ShadowPagesMmu, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Any:
    entry = s.tlb[vm, vcpu, upper, page]
    return implies(entry.present and entry.writable, not s.tracked[vm, entry.gfn])


@law("ISO-3", "The rmap of a page lists exactly the shadow entries that map the page.")
def the_reverse_map_is_exact(s: ShadowPagesMmu, vm: Vm, gfn: Gfn, shadow: ShadowPage, page: Index) -> Any:
    entry = s.leaves[shadow, page]
    return s.rmap[vm, gfn, shadow, page] == (entry.present and entry.gfn == gfn and s.roles[shadow].vm == vm)


@law("ISO-3", "The parent list of a shadow page names exactly the entries that link to the shadow page.")
def parents_are_exact(s: ShadowPagesMmu, child: ShadowPage, shadow: ShadowPage, upper: Index) -> Any:
    return implies(child != NOTHING, s.parents[child, shadow, upper] == (s.links[shadow, upper] == child))


@law("EFF-2", "A store that must be emulated can be emulated once the guest's accessed and dirty flags are set.")
def stores_for_which_no_entry_will_do_are_carried_out(s: ShadowPagesMmu, outcome: LinearAttempt, actor: Vm) -> Any:
    paging = s.paging[actor, outcome.vcpu]
    entry = s.guest_path(actor, s.guest_cell(actor, paging.root, outcome.upper), outcome.page)
    due = permits(entry, Access.WRITE, paging.mode) and not s.unmarked(entry, True, True)
    return implies(
        outcome.shown.event == Event.EXITED
        and outcome.access == Access.WRITE
        and due
        and (s.tracked[actor, entry.gfn] or hides_from_smap(entry, Access.WRITE, paging.mode)),
        s.ready_to_emulate(actor, entry, paging.mode),
    )
