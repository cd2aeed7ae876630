"""What is shared on purpose: with which VM it was agreed, as it was agreed, and until it is taken back."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Gfn, Ref, Vm
from refmodel.monitor.frames import Use
from refmodel.monitor.grants import (
    Foreign,
    ForeignAccess,
    ForeignMapping,
    GrantEnded,
    GrantMapped,
    GrantOffered,
    Grants,
    OfferEnded,
    mappings_by,
    mappings_of,
)
from refmodel.monitor.p2m import Supply


@law("ISO-1", "Every foreign mapping has a grant entry that offers the page to the grantee, with at least the mapping's rights.")
def foreign_mappings_are_granted(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    mapping = s.foreign[vm, gfn]
    grant = s.grants[mapping.owner, mapping.ref]
    return implies(
        mapping.state != Foreign.NONE,
        grant.offered and grant.to == vm and grant.page == mapping.page and implies(mapping.writable, grant.writable),
    )


@law(
    "ISO-1",
    "Every foreign mapping names the mfn that the owner's p2m has for the page, and the page's count of foreign "
    "references is not zero.",
)
def foreign_mappings_lead_where_the_p2m_says(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    mapping = s.foreign[vm, gfn]
    backing = s.p2m[mapping.owner, mapping.page]
    return implies(
        mapping.state != Foreign.NONE,
        s.foreign_references[mapping.owner, mapping.page] > 0 and backing.resident and backing.mfn == mapping.mfn,
    )


@law("ISO-6", "A grant entry offers a page only to a VM other than the page's owner.")
def grants_are_to_others(s: Grants, vm: Vm, ref: Ref) -> Any:
    return implies(s.grants[vm, ref].offered, s.grants[vm, ref].to != vm)


@law(
    "ISO-1",
    "A cached translation of a foreign page has the mfn and at most the rights of a mapping that is present or awaits a flush.",
)
def cached_foreign_pages_are_mapped(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    entry, mapping = s.foreign_tlb[vm, gfn], s.foreign[vm, gfn]
    return implies(
        entry.present, mapping.state != Foreign.NONE and mapping.mfn == entry.mfn and implies(entry.writable, mapping.writable)
    )


@law("ISO-1", "A processor caches a translation of a foreign page only while the page is mapped, not while its flush is pending.")
def foreign_pages_are_cached_while_mapped(s: Grants, before: Grants, vm: Vm, gfn: Gfn) -> Any:
    return implies(
        s.foreign_tlb[vm, gfn].present and not before.foreign_tlb[vm, gfn].present, s.foreign[vm, gfn].state == Foreign.MAPPED
    )


@law("ISO-2", "A page that another VM has mapped lies in a private frame, and is writable in its owner's p2m.")
def granted_pages_are_private(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    entry = s.p2m[vm, gfn]
    return implies(
        s.foreign_references[vm, gfn] > 0, s.in_frame(vm, gfn) and entry.writable and s.frames[entry.mfn].use == Use.PRIVATE
    )


@law("RES-1", "A grant entry's mapping count is the number of foreign mappings made by the entry.")
def grant_mappings_are_exact(s: Grants, vm: Vm, ref: Ref) -> Any:
    return s.grants[vm, ref].mappings == mappings_by(s, vm, ref)


@law("ISO-1", "After an owner writes a grant entry, the entry holds exactly the page, the VM and the rights that the owner wrote.")
def grants_offer_what_their_owners_offer(s: Grants, outcome: GrantOffered) -> Any:
    return s.grants[outcome.vm, outcome.ref] == outcome.asked


@law("ISO-1", "After an owner ends a grant entry, the entry offers nothing, and no other grant entry of the owner has changed.")
def offers_end_as_asked(s: Grants, before: Grants, outcome: OfferEnded, ref: Ref) -> Any:
    return implies(ref == outcome.ref, not s.grants[outcome.vm, ref].offered) and implies(
        ref != outcome.ref, s.grants[outcome.vm, ref] == before.grants[outcome.vm, ref]
    )


@law("ISO-1", "A VM that writes one of its grant entries changes no other grant entry of its own.")
def no_other_grant_entry_changes(s: Grants, before: Grants, outcome: GrantOffered, ref: Ref) -> Any:
    return implies(ref != outcome.ref, s.grants[outcome.vm, ref] == before.grants[outcome.vm, ref])


@law(
    "ISO-1",
    "A successful map request maps the foreign page at the requested gfn, by the named grant entry, with the requested rights.",
)
def a_grantee_gets_what_it_asks_for(s: Grants, outcome: GrantMapped) -> Any:
    mapping = s.foreign[outcome.vm, outcome.gfn]
    return implies(
        outcome.found == Supply.READY,
        mapping.state == Foreign.MAPPED
        and mapping.owner == outcome.owner
        and mapping.ref == outcome.ref
        and mapping.writable == outcome.write,
    )


@law("ISO-1", "A grant map request changes no other foreign mapping of the VM, and a failed request changes no mapping.")
def no_other_foreign_page_comes(s: Grants, before: Grants, outcome: GrantMapped, gfn: Gfn) -> Any:
    return implies(
        gfn != outcome.gfn or outcome.found != Supply.READY, s.foreign[outcome.vm, gfn] == before.foreign[outcome.vm, gfn]
    )


@law("RES-3", "Removing one foreign mapping of a VM changes no other foreign mapping of that VM.")
def no_other_foreign_page_goes(s: Grants, before: Grants, outcome: GrantEnded, gfn: Gfn) -> Any:
    return implies(gfn != outcome.gfn, s.foreign[outcome.vm, gfn] == before.foreign[outcome.vm, gfn])


@law("RES-1", "A page's count of foreign references is the number of foreign mappings of the page.")
def foreign_references_are_exact(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    return s.foreign_references[vm, gfn] == mappings_of(s, vm, gfn)


@law("RES-1", "A gfn without a foreign mapping has an empty foreign-mapping record.")
def no_foreign_mapping_names_no_page(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.foreign[vm, gfn].state == Foreign.NONE, s.foreign[vm, gfn] == ForeignMapping())


@law("RES-3", "The monitor has a step that unmaps a foreign mapping, or that flushes the mapping if it is already unmapped.")
def foreign_pages_can_be_taken_back(s: Grants, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.foreign[vm, gfn].state != Foreign.NONE, s.may_unmap_foreign(vm, gfn) or s.may_flush_foreign(vm, gfn))


@law("RES-3", "A foreign mapping can be flushed after it is unmapped, and is gone after the flush.")
def foreign_pages_go_in_two_steps(s: Grants, outcome: GrantEnded) -> Any:
    is_gone = s.foreign[outcome.vm, outcome.gfn].state == Foreign.NONE
    return implies(outcome.flushed, is_gone) and implies(not outcome.flushed, s.may_flush_foreign(outcome.vm, outcome.gfn))


@law("EQV-1", "An access to another VM's page shows the same data as on the bare machine of the page's owner.")
def foreign_loads_show_what_was_stored(s: Grants, outcome: ForeignAccess) -> Any:
    return outcome.shown.cell == outcome.bare.cell


@law("EQV-2", "An access to another VM's page completes exactly if it completes on the bare machine of the page's owner.")
def foreign_accesses_complete_when_due(s: Grants, outcome: ForeignAccess) -> Any:
    return outcome.shown.event == outcome.bare.event


@law("EQV-2", "A grant map request reports missing memory only if the owner's bare machine has no memory at the granted gfn.")
def a_grantee_is_refused_holes_only(s: Grants, outcome: GrantMapped) -> Any:
    return implies(outcome.found == Supply.HOLE, not s.plugged[outcome.owner, outcome.page])
