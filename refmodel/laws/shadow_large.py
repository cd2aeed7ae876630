"""Direct tables and their reverse map."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Index, Region, Vm
from refmodel.mmu.shadow_large import ShadowLargeMmu, SmallMapped, Taken


@law("RES-1", "The reverse map leads to each entry of a direct table; each maps a page of the region that the table was made for.")
def entries_are_in_the_rmap(s: ShadowLargeMmu, vm: Vm, slot: Index, page: Index) -> Any:
    entry, table = s.entries[vm, slot, page], s.direct[vm, slot]
    return implies(entry.present, table.present and table.region == entry.region and s.rmap[vm, entry.region, page, slot])


@law("RES-1", "What the reverse map leads to is there.")
def the_rmap_leads_to_entries(s: ShadowLargeMmu, vm: Vm, region: Region, page: Index, slot: Index) -> Any:
    entry = s.entries[vm, slot, page]
    return implies(s.rmap[vm, region, page, slot], entry.present and entry.region == region)


@law("ISO-1", "An entry leads to memory that the VM has.")
def direct_entries_lead_to_backed_memory(s: ShadowLargeMmu, vm: Vm, slot: Index, page: Index) -> Any:
    entry = s.entries[vm, slot, page]
    return implies(entry.present, s.backed[vm, entry.region])


@law("EQV-2", "A fault maps the page of the region that the guest's large entry names now.")
def faults_map_what_the_guest_names(s: ShadowLargeMmu, outcome: SmallMapped) -> Any:
    entry = s.entries[outcome.vm, outcome.slot, outcome.page]
    return entry.present and entry.region == s.large[outcome.vm, outcome.slot]


@law("RES-3", "What the monitor takes is taken: the region had memory, and has none any more.")
def what_is_taken_is_gone(s: ShadowLargeMmu, before: ShadowLargeMmu, outcome: Taken) -> Any:
    return before.backed[outcome.vm, outcome.region] and not s.backed[outcome.vm, outcome.region]
