"""EPT with entries of several sizes: entries of each size, and what is cached of them, agree with the p2m."""

from typing import Any

from refmodel.bare import Event, Seen
from refmodel.language import NOTHING, implies, law
from refmodel.laws.isolation import agrees
from refmodel.laws.waiting import waits
from refmodel.machine.names import Gfn, Index, Mfn, Region, Vcpu, Vm
from refmodel.mmu.ept_sizes import EptSizesMmu, EptThreeSizesMmu, Resized
from refmodel.mmu.replies import Handled, Result, TableGone
from refmodel.monitor.frames import Use


@law("ISO-1", "A large EPT entry maps every gfn of its region to the mfn in the p2m, and each such gfn is writable in the p2m.")
def large_entries_lead_where_the_p2m_says(s: EptSizesMmu, vm: Vm, gfn: Gfn) -> Any:
    entry = s.upper[vm, s.region[gfn]]
    return implies(entry.large and s.is_covered(gfn), agrees(s, vm, gfn, s.frame_at[entry.block, s.at[gfn]], True))


@law("ISO-1", "A 1 GiB EPT entry maps every gfn in it to the mfn in the p2m, and each such gfn is writable in the p2m.")
def larger_entries_lead_where_the_p2m_says(s: EptThreeSizesMmu, vm: Vm, gfn: Gfn) -> Any:
    entry = s.upper[vm, s.larger(s.region[gfn])]
    mfn = s.frame_at[s.smaller_block(s.region[gfn], entry.block), s.at[gfn]]
    return implies(entry.large and s.is_covered(gfn), agrees(s, vm, gfn, mfn, True))


@law("ISO-1", "A small EPT entry maps its gfn to the mfn in the p2m, with no more rights than the p2m gives.")
def small_entries_lead_where_the_p2m_says(s: EptSizesMmu, table: Mfn, at: Index) -> Any:
    entry, of = s.lower[table, at], s.table_of[table]
    gfn = s.page_at[of.region, at]
    return implies(
        entry.present,
        s.is_covered(gfn) and s.region[gfn] == of.region and s.at[gfn] == at and agrees(s, of.vm, gfn, entry.mfn, entry.writable),
    )


@law("ISO-1", "A cached small translation gives the p2m's mfn and at most the p2m's rights, or is stale while a flush is pending.")
def small_translations_lead_where_the_p2m_says(s: EptSizesMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Any:
    found = s.small_tlb[vm, vcpu, gfn]
    return implies(
        found.present,
        s.is_covered(gfn)
        and s.may_translate(vm, gfn, found.mfn, found.writable)
        and (s.is_asked(vm, vcpu) or agrees(s, vm, gfn, found.mfn, found.writable)),
    )


@law(
    "ISO-1",
    "A cached large translation gives each gfn the p2m's mfn and at most the p2m's rights, or is stale while a flush is pending.",
)
def large_translations_lead_where_the_p2m_says(s: EptSizesMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Any:
    found = s.large_tlb[vm, vcpu, s.region[gfn]]
    mfn = s.frame_at[found.block, s.at[gfn]]
    return implies(
        found.valid and s.is_covered(gfn),
        s.may_translate(vm, gfn, mfn, True) and (s.is_asked(vm, vcpu) or agrees(s, vm, gfn, mfn, True)),
    )


@law(
    "ISO-1",
    "A cached 1 GiB translation gives each gfn the p2m's mfn and at most the p2m's rights, or is stale while a flush is pending.",
)
def larger_translations_lead_where_the_p2m_says(s: EptThreeSizesMmu, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> Any:
    found = s.large_tlb[vm, vcpu, s.larger(s.region[gfn])]
    mfn = s.frame_at[s.smaller_block(s.region[gfn], found.block), s.at[gfn]]
    return implies(
        found.valid and s.is_covered(gfn),
        s.may_translate(vm, gfn, mfn, True) and (s.is_asked(vm, vcpu) or agrees(s, vm, gfn, mfn, True)),
    )


@law("ISO-3", "An EPT table that is not waiting to be freed is recorded for a region, and the region's upper entry links to it.")
def tables_in_use_are_linked(s: EptSizesMmu, mfn: Mfn) -> Any:
    of = s.table_of[mfn]
    entry = s.upper[of.vm, of.region]
    return implies(
        s.frames[mfn].use == Use.TABLE and not s.is_given_up(mfn),
        of.vm != NOTHING and of.region != NOTHING and entry.links and entry.table == mfn,
    )


@law("ISO-3", "An EPT table that waits to be freed is still recorded as a table frame.")
def tables_given_up_stay_tables(s: EptSizesMmu, mfn: Mfn) -> Any:
    return implies(s.frames[mfn].use != Use.TABLE, not s.is_given_up(mfn))


@law("ISO-3", "A present upper EPT entry either maps a large page, or links to the table that is recorded for its region.")
def upper_entries_link_to_their_tables(s: EptSizesMmu, vm: Vm, region: Region) -> Any:
    entry = s.upper[vm, region]
    of = s.table_of[entry.table]
    return implies(entry.large, entry.present) and implies(
        entry.links,
        entry.table != NOTHING
        and s.frames[entry.table].use == Use.TABLE
        and not s.is_given_up(entry.table)
        and of.vm == vm
        and of.region == region,
    )


@law("ISO-3", "The entry of a region inside a 1 GiB region is present only while the entry of the 1 GiB region links to a table.")
def upper_entries_lie_in_tables(s: EptThreeSizesMmu, vm: Vm, region: Region) -> Any:
    return implies(s.upper[vm, region].present, s.is_reached(vm, region))


@law("ISO-3", "Only a table frame that is not waiting to be freed holds small EPT entries.")
def only_tables_in_use_hold_entries(s: EptSizesMmu, mfn: Mfn, at: Index) -> Any:
    return implies(s.frames[mfn].use != Use.TABLE or s.is_given_up(mfn), not s.lower[mfn, at].present)


@law(
    "ISO-3",
    "A vCPU's cached table pointer names its region's table or, while the vCPU has a flush pending, a table that waits "
    "to be freed.",
)
def cached_pointers_lead_to_tables(s: EptSizesMmu, vm: Vm, vcpu: Vcpu, region: Region) -> Any:
    pointer = s.pointers[vm, vcpu, region]
    of, is_given_up = s.table_of[pointer.table], s.is_given_up(pointer.table)
    return implies(
        pointer.valid,
        s.frames[pointer.table].use == Use.TABLE
        and of.vm == vm
        and (of.region == region or is_given_up)
        and (s.is_asked(vm, vcpu) or not is_given_up),
    )


@law("EFF-1", "An access exits only if the page-modification log is full, or if no EPT entry of any size allows the access.")
def what_either_size_gives_does_not_exit(s: EptSizesMmu, outcome: Seen, before: EptSizesMmu, actor: Vm) -> Any:
    return implies(
        before.installed(actor, outcome.gfn, outcome.write) and outcome.full == NOTHING, outcome.shown.event != Event.EXITED
    )


@law("EFF-2", "After an EPT violation is served, the EPT has an entry of some size that allows the access.")
def a_violation_that_was_served_makes_progress(s: EptSizesMmu, outcome: Handled) -> Any:
    return implies(outcome.result == Result.INSTALLED, s.installed(outcome.vm, outcome.gfn, outcome.write))


@law(
    "EFF-2",
    "If an upper EPT entry exists, a violation stays unserved only if the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_violation_of_either_size_waits_only_if_its_page_waits(s: EptSizesMmu, before: EptSizesMmu, outcome: Handled) -> Any:
    has_table = before.upper[outcome.vm, before.region[outcome.gfn]].present
    return implies(
        has_table and before.is_covered(outcome.gfn) and not waits(s, before, outcome.vm, outcome.gfn, outcome.write),
        outcome.result != Result.FAILED,
    )


@law("EFF-2", "Splitting or merging EPT entries takes away no access that the EPT allowed.")
def resizing_takes_nothing_away(s: EptSizesMmu, before: EptSizesMmu, outcome: Resized, gfn: Gfn, write: bool) -> Any:
    return implies(before.installed(outcome.vm, gfn, write), s.installed(outcome.vm, gfn, write))


@law("RES-3", "After the monitor takes an EPT table back, no upper EPT entry links to the table.")
def a_table_taken_back_is_not_linked(s: EptSizesMmu, outcome: TableGone, vm: Vm, region: Region) -> Any:
    linked = s.upper[vm, region].table if s.upper[vm, region].links else NOTHING
    return linked != outcome.table
