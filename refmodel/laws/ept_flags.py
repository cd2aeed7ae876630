"""Accessed and dirty flags of EPT entries: what happened to a page is never more than flags say of it, or have said."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.cells import Flags
from refmodel.machine.names import Gfn, Index, Mfn, Region, Vcpu, Vm
from refmodel.mmu.ept_flags import EptFlagsMmu


def tells(flags: Flags, dirty: bool) -> Any:
    """Whether flags say that a page was reached, and stored to if a processor need not say so again."""
    return flags.accessed and implies(dirty, flags.dirty)


def is_told(s: EptFlagsMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn, dirty: bool) -> Any:
    """Whether flags say so of a page, or have said so where the processor is to be flushed."""
    return tells(s.said_of(vm, gfn), dirty) and (s.is_asked(vm, vcpu) or tells(s.flags_of(vm, gfn), dirty))


@law(
    "EQV-4",
    "Each flag set in a cached 4 KiB translation is set in the EPT entry, or recorded by the monitor with a flush pending.",
)
def small_translations_are_told_by_flags(s: EptFlagsMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Any:
    found = s.small_tlb[vm, vcpu, gfn]
    return implies(found.present, is_told(s, vm, vcpu, gfn, found.dirty))


@law(
    "EQV-4",
    "Each flag that is set in a cached large translation is set in the EPT entry, or recorded by the monitor with a flush pending.",
)
def large_translations_are_told_by_flags(s: EptFlagsMmu, vm: Vm, vcpu: Vcpu, region: Region, gfn: Gfn) -> Any:
    found = s.large_tlb[vm, vcpu, region]
    return implies(found.valid and s.is_covered(gfn) and s.lies_in(gfn, region), is_told(s, vm, vcpu, gfn, found.dirty))


@law("ISO-3", "An upper EPT entry that does not link to a table names no table.")
def only_links_name_tables(s: EptFlagsMmu, vm: Vm, region: Region) -> Any:
    return implies(not s.upper[vm, region].links, s.upper[vm, region].table == NOTHING)


@law("EQV-4", "An upper EPT entry that maps no large page has its accessed and dirty flags clear.")
def large_flags_are_of_large_entries(s: EptFlagsMmu, vm: Vm, region: Region) -> Any:
    return implies(not s.upper[vm, region].large, s.upper_flags[vm, region] == Flags())


@law("EQV-4", "A small EPT entry that maps no page has its accessed and dirty flags clear.")
def small_flags_are_of_small_entries(s: EptFlagsMmu, table: Mfn, at: Index) -> Any:
    return implies(not s.lower[table, at].present, s.lower_flags[table, at] == Flags())
