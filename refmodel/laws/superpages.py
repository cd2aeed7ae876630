"""Large mappings cover private pages only, and small pages that share are read-only."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.cells import Cell
from refmodel.machine.names import Block, Index, Region, Vm
from refmodel.monitor.superpages import Broken, LargePage, Loaded, Superpages, UnitUse, references


def fits(s: Superpages, vm: Vm, region: Region, page: Index, mapping: LargePage) -> Any:
    """Whether a page lies where a large mapping says, and may be stored to."""
    place = s.places[vm, region, page]
    return place.mapped and place.block == mapping.block and place.at == page and place.writable


@law("ISO-1", "A large mapping leads every page of its region where the p2m says.")
def superpages_lead_where_the_p2m_says(s: Superpages, vm: Vm, region: Region, page: Index) -> Any:
    return implies(s.large[vm, region].mapped, fits(s, vm, region, page, s.large[vm, region]))


@law("ISO-1", "A large mapping that a processor has cached leads every page of its region where the p2m says.")
def cached_large_mappings_lead_where_the_p2m_says(s: Superpages, vm: Vm, region: Region, page: Index) -> Any:
    cached = s.large_tlb[vm, region]
    return implies(cached.mapped, s.large[vm, region].mapped and fits(s, vm, region, page, cached))


@law("ISO-1", "A small translation that is cached leads where the p2m says, with no more rights.")
def cached_small_mappings_lead_where_the_p2m_says(s: Superpages, vm: Vm, region: Region, page: Index) -> Any:
    cached, place = s.small_tlb[vm, region, page], s.places[vm, region, page]
    return implies(cached.mapped, place.mapped and place.block == cached.block and place.at == cached.at
                   and implies(cached.writable, place.writable))


@law("ISO-2", "A page in a shared frame is read-only; one in a frame of its own is recorded there.")
def shared_small_pages_are_read_only(s: Superpages, vm: Vm, region: Region, page: Index) -> Any:
    place = s.places[vm, region, page]
    unit = s.units[place.block, place.at]
    return implies(place.mapped, (unit.use == UnitUse.SHARED and not place.writable)
                   or (unit.use == UnitUse.PRIVATE and unit.vm == vm and unit.region == region and unit.page == page))


@law("ISO-4", "A page that comes to a guest is a page of zeroes.")
def a_small_page_comes_as_zeroes(s: Superpages, before: Superpages, vm: Vm, region: Region, page: Index) -> Any:
    place = s.places[vm, region, page]
    return implies(place.mapped and not before.places[vm, region, page].mapped, s.memory[place.block, place.at] == Cell())


@law("RES-1", "A frame counts the pages that lie in it, and the references that a step under way has taken.")
def unit_references_are_exact(s: Superpages, block: Block, at: Index) -> Any:
    return s.units[block, at].references == references(s, block, at) + s.in_transit(block, at)


@law("RES-2", "A frame that is one page's is that page's; one that is free has none, one that is shared has some.")
def unit_records_are_true(s: Superpages, block: Block, at: Index) -> Any:
    unit = s.units[block, at]
    place = s.places[unit.vm, unit.region, unit.page]
    extra = s.in_transit(block, at)
    return (implies(unit.use == UnitUse.FREE, unit.references == 0) and implies(unit.use == UnitUse.SHARED, unit.references > extra)
            and implies(unit.use == UnitUse.PRIVATE, unit.references == 1 + extra and place.mapped and place.block == block
                        and place.at == at))


@law("EQV-1", "Each page holds what the bare machine's page holds.")
def small_pages_hold_what_the_bare_machines_hold(s: Superpages, vm: Vm, region: Region, page: Index) -> Any:
    place = s.places[vm, region, page]
    return implies(place.mapped, s.memory[place.block, place.at] == s.bare_memory[vm, region, page])


@law("EQV-1", "What an access shows was stored there.")
def accesses_of_any_size_show_what_was_stored(s: Superpages, outcome: Loaded) -> Any:
    return outcome.shown == outcome.due


@law("EFF-2", "A store to a shared page that was served may be made when it is tried again.")
def a_broken_page_may_be_stored_to(s: Superpages, outcome: Broken) -> Any:
    place = s.places[outcome.vm, outcome.region, outcome.page]
    return implies(outcome.served, place.mapped and place.writable)
