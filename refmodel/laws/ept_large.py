"""EPT with large mappings: whatever the size, a page is where the p2m says, and no write escapes the log."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.cells import Flags
from refmodel.machine.names import Block, Cpu, Index, Region, Table, Vm
from refmodel.mmu.ept_large import EptLargeMmu, Given, Life, Outcome, RegionHandled
from refmodel.mmu.ept_large_walk import Place, Reached


def agrees(place: Place, backing: Place) -> Any:
    """Whether a mapping gives what the p2m gives, or less."""
    return (backing.mapped and place.block == backing.block and place.at == backing.at
            and (backing.writable or not place.writable))


@law("ISO-1", "A large mapping covers the pages of its region in order, each where the p2m says.")
def large_mappings_lead_where_the_p2m_says(s: EptLargeMmu, vm: Vm, region: Region, page: Index) -> Any:
    entry = s.upper[vm, region]
    return implies(entry.large, entry.present and agrees(Place(True, entry.block, page, True), s.p2m[vm, region, page]))


@law("ISO-1", "A small mapping leads where the p2m says, in a table that is linked, and in one that is dying.")
def small_mappings_lead_where_the_p2m_says(s: EptLargeMmu, table: Table, page: Index) -> Any:
    place, use = s.lower[table, page], s.tables[table]
    return implies(place.mapped, use.life != Life.FREE and agrees(place, s.p2m[use.vm, use.region, page]))


@law("ISO-1", "What a processor remembers leads where the p2m says.")
def remembered_places_lead_where_the_p2m_says(s: EptLargeMmu, cpu: Cpu, vm: Vm, region: Region, page: Index) -> Any:
    found = s.tlb[cpu, vm, region, page]
    return implies(found.valid, found.place.mapped and agrees(found.place, s.p2m[vm, region, page]))


@law("ISO-3", "A pointer that a processor holds is to the region's table, which may be dying, but is not free.")
def pointers_lead_to_tables(s: EptLargeMmu, cpu: Cpu, vm: Vm, region: Region) -> Any:
    pointer, entry = s.pointers[cpu, vm, region], s.upper[vm, region]
    use = s.tables[pointer.table]
    linked = not entry.large and entry.table == pointer.table and use.life == Life.LINKED
    dying = entry.large and entry.flags == Flags(True, True) and not entry.tracked and use.life == Life.DYING
    return implies(pointer.valid, entry.present and use.vm == vm and use.region == region and (linked or dying))


@law("ISO-3", "An upper entry links to a table that is kept for its region.")
def links_lead_to_the_regions_table(s: EptLargeMmu, vm: Vm, region: Region) -> Any:
    entry = s.upper[vm, region]
    use = s.tables[entry.table]
    return implies(entry.present and not entry.large, use.life == Life.LINKED and use.vm == vm and use.region == region)


@law("RES-2", "A linked table is linked.")
def linked_tables_are_linked(s: EptLargeMmu, table: Table) -> Any:
    use = s.tables[table]
    entry = s.upper[use.vm, use.region]
    return implies(use.life == Life.LINKED, entry.present and not entry.large and entry.table == table)


@law("RES-2", "A frame is in use by the page that the p2m leads from.")
def units_are_held(s: EptLargeMmu, block: Block, at: Index) -> Any:
    unit = s.units[block, at]
    place = s.p2m[unit.vm, unit.region, unit.page]
    return implies(unit.used, place.mapped and place.block == block and place.at == at)


@law("RES-2", "What the p2m leads to is the page's own frame.")
def places_are_owned(s: EptLargeMmu, vm: Vm, region: Region, page: Index) -> Any:
    place = s.p2m[vm, region, page]
    unit = s.units[place.block, place.at]
    return implies(place.mapped, unit.used and unit.vm == vm and unit.region == region and unit.page == page and s.covered[region]
                   and not place.tracked)


@law("RES-2", "A frame that stands behind a page is accounted for: the guest has the page, or has it in its balloon.")
def placed_pages_are_accounted_for(s: EptLargeMmu, vm: Vm, region: Region, page: Index) -> Any:
    return implies(s.p2m[vm, region, page].mapped, s.plugged[vm, region, page] or s.inflated[vm, region, page])


@law("RES-2", "What could not be done has changed nothing of the guest's memory.")
def what_fails_changes_no_page(s: EptLargeMmu, before: EptLargeMmu, outcome: Given, vm: Vm, region: Region, page: Index) -> Any:
    return implies(not outcome.done, s.p2m[vm, region, page] == before.p2m[vm, region, page]
                   and s.plugged[vm, region, page] == before.plugged[vm, region, page]
                   and s.inflated[vm, region, page] == before.inflated[vm, region, page]
                   and s.on_demand[vm, region, page] == before.on_demand[vm, region, page])


@law("RES-1", "A page is promised or has a frame, and is the guest's or in its balloon, never both.")
def promises_are_kept_once(s: EptLargeMmu, vm: Vm, region: Region, page: Index) -> Any:
    return (implies(s.on_demand[vm, region, page], not s.p2m[vm, region, page].mapped and s.plugged[vm, region, page]
                    and s.covered[region])
            and implies(s.inflated[vm, region, page], not s.plugged[vm, region, page] and s.covered[region]))


@law("EQV-1", "Where the guest has memory, there is a frame, or the promise of one.")
def memory_is_there(s: EptLargeMmu, vm: Vm, region: Region, page: Index) -> Any:
    return implies(s.plugged[vm, region, page], s.p2m[vm, region, page].mapped or s.on_demand[vm, region, page])


@law("EQV-1", "An access reaches the page's own frame.")
def accesses_reach_the_page(s: EptLargeMmu, outcome: Reached, actor: Vm) -> Any:
    return implies(outcome.completed, agrees(outcome.place, s.p2m[actor, outcome.region, outcome.page]))


@law("EQV-1", "A page that is given changes no other, and a page stays where it is unless it is its own turn.")
def giving_one_page_moves_no_other(s: EptLargeMmu, before: EptLargeMmu, outcome: Given, vm: Vm, region: Region, page: Index) -> Any:
    was, now = before.p2m[vm, region, page], s.p2m[vm, region, page]
    return implies(was.mapped and now.mapped, was.block == now.block and was.at == now.at)


@law("EQV-2", "The monitor says that there is no memory only where the guest has none.")
def holes_in_regions_are_real(s: EptLargeMmu, outcome: RegionHandled) -> Any:
    return implies(outcome.result == Outcome.HOLE, not s.plugged[outcome.vm, outcome.region, outcome.page])


@law("EQV-4", "What was written to since the log was fetched is in the log, or a dirty flag says so.")
def no_write_escapes_the_log(s: EptLargeMmu, vm: Vm, region: Region, page: Index) -> Any:
    return implies(s.happened[vm, region, page].dirty, s.log[vm, region, page].dirty or s.dirty(vm, region, page))


@law("EQV-4", "A processor that writes without setting a dirty flag was right that it is set, or the page is in the log.")
def remembered_flags_are_set(s: EptLargeMmu, cpu: Cpu, vm: Vm, region: Region, page: Index) -> Any:
    found = s.tlb[cpu, vm, region, page]
    return implies(found.valid and found.dirty, s.log[vm, region, page].dirty or s.dirty(vm, region, page))


@law("EQV-4", "A page that was touched since its age was taken is young: a flag says so, or one said so that is gone.")
def no_access_escapes_the_flags(s: EptLargeMmu, vm: Vm, region: Region, page: Index) -> Any:
    return implies(s.happened[vm, region, page].accessed, s.young(vm, region, page))


@law("EQV-4", "A page that a processor remembers is young.")
def remembered_pages_are_young(s: EptLargeMmu, cpu: Cpu, vm: Vm, region: Region, page: Index) -> Any:
    return implies(s.tlb[cpu, vm, region, page].valid, s.young(vm, region, page))


@law("EQV-4", "A page that is tracked has not been touched since, and no processor remembers it.")
def tracked_pages_are_untouched(s: EptLargeMmu, cpu: Cpu, vm: Vm, region: Region, page: Index) -> Any:
    return implies(s.tracked(vm, region, page),
                   not s.happened[vm, region, page].accessed and not s.tlb[cpu, vm, region, page].valid)


@law("EFF-1", "An access exits only for what the tables do not give.")
def large_accesses_do_not_exit(s: EptLargeMmu, outcome: Reached, actor: Vm) -> Any:
    return implies(not outcome.completed, not s.lets(actor, outcome.region, outcome.page, outcome.write))


@law("EFF-2", "An exit that was served leaves the mapping; one that is to be tried again left a frame.")
def a_served_region_exit_makes_progress(s: EptLargeMmu, outcome: RegionHandled) -> Any:
    return (implies(outcome.result == Outcome.INSTALLED, s.lets(outcome.vm, outcome.region, outcome.page, outcome.write))
            and implies(outcome.result == Outcome.RETRY, s.p2m[outcome.vm, outcome.region, outcome.page].mapped))
