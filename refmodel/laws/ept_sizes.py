"""EPT with three sizes: whatever the size of an entry, a page is where the p2m says."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Cpu, Huge, HugeFrame, Index, Part, Vm
from refmodel.mmu.ept_sizes import Arrived, EptSizesMmu, Lies, Resized, Served


def agrees(place: Lies, backing: Lies) -> Any:
    """Whether a mapping gives what the p2m gives, or less."""
    return (backing.mapped and place.frame == backing.frame and place.part == backing.part and place.at == backing.at
            and (backing.writable or not place.writable))


@law("ISO-1", "An entry of 1 GiB covers every page of its own in order, each where the p2m says.")
def huge_entries_lead_where_the_p2m_says(s: EptSizesMmu, vm: Vm, huge: Huge, part: Part, page: Index) -> Any:
    entry = s.huge[vm, huge]
    return implies(entry.leaf, entry.present and agrees(Lies(True, entry.frame, part, page, True), s.p2m[vm, huge, part, page]))


@law("ISO-1", "An entry of 2 MiB covers every page of its own in order, each where the p2m says.")
def part_entries_lead_where_the_p2m_says(s: EptSizesMmu, vm: Vm, huge: Huge, part: Part, page: Index) -> Any:
    entry = s.parts[vm, huge, part]
    place = Lies(True, entry.frame, entry.part, page, True)
    return implies(entry.leaf, entry.present and agrees(place, s.p2m[vm, huge, part, page]))


@law("ISO-1", "An entry of 4 KiB leads where the p2m says.")
def page_entries_lead_where_the_p2m_says(s: EptSizesMmu, vm: Vm, huge: Huge, part: Part, page: Index) -> Any:
    place = s.pages[vm, huge, part, page]
    return implies(place.mapped, agrees(place, s.p2m[vm, huge, part, page]))


@law("ISO-1", "What a processor remembers of 1 GiB leads where the p2m says, though the mapping may have been split since.")
def remembered_huge_pages_lead_where_the_p2m_says(s: EptSizesMmu, cpu: Cpu, vm: Vm, huge: Huge, part: Part, page: Index) -> Any:
    found = s.huge_tlb[cpu, vm, huge]
    return implies(found.present, agrees(Lies(True, found.frame, part, page, True), s.p2m[vm, huge, part, page]))


@law("ISO-1", "What a processor remembers of 2 MiB leads where the p2m says, though the mapping may have been split since.")
def remembered_parts_lead_where_the_p2m_says(s: EptSizesMmu, cpu: Cpu, vm: Vm, huge: Huge, part: Part, page: Index) -> Any:
    found = s.part_tlb[cpu, vm, huge, part]
    return implies(found.present, agrees(Lies(True, found.frame, found.part, page, True), s.p2m[vm, huge, part, page]))


@law("ISO-1", "What a processor remembers of 4 KiB leads where the p2m says.")
def remembered_pages_lead_where_the_p2m_says(s: EptSizesMmu, cpu: Cpu, vm: Vm, huge: Huge, part: Part, page: Index) -> Any:
    found = s.page_tlb[cpu, vm, huge, part, page]
    return implies(found.mapped, agrees(found, s.p2m[vm, huge, part, page]))


@law("ISO-3", "Entries lie only in tables that the level above leads to: none comes back to life when a table is made anew.")
def entries_lie_in_tables(s: EptSizesMmu, vm: Vm, huge: Huge, part: Part, page: Index) -> Any:
    top, middle = s.huge[vm, huge], s.parts[vm, huge, part]
    return (implies(middle.present, top.present and not top.leaf)
            and implies(s.pages[vm, huge, part, page].mapped, middle.present and not middle.leaf))


@law("RES-2", "A frame that is used is where the p2m has the page that it is used for.")
def used_frames_are_led_to(s: EptSizesMmu, frame: HugeFrame, part: Part, at: Index) -> Any:
    owner = s.owners[frame, part, at]
    place = s.p2m[owner.vm, owner.huge, owner.part, owner.page]
    return implies(owner.used, place.mapped and place.frame == frame and place.part == part and place.at == at)


@law("RES-2", "What the p2m leads to is the page's own frame.")
def pages_lie_in_their_own_frames(s: EptSizesMmu, vm: Vm, huge: Huge, part: Part, page: Index) -> Any:
    place = s.p2m[vm, huge, part, page]
    owner = s.owners[place.frame, place.part, place.at]
    return implies(place.mapped, owner.used and owner.vm == vm and owner.huge == huge and owner.part == part and owner.page == page)


@law("EQV-1", "An access reaches the page's own frame, by whatever size.")
def accesses_arrive(s: EptSizesMmu, outcome: Arrived, actor: Vm) -> Any:
    return implies(outcome.completed, agrees(outcome.place, s.p2m[actor, outcome.huge, outcome.part, outcome.page]))


@law("EFF-1", "An access exits only for what the tables do not give.")
def sized_accesses_do_not_exit(s: EptSizesMmu, outcome: Arrived, actor: Vm) -> Any:
    return implies(not outcome.completed, not s.lets(actor, outcome.huge, outcome.part, outcome.page, outcome.write))


@law("EFF-2", "An exit that was served leaves the mapping, in whatever size.")
def a_served_sized_exit_makes_progress(s: EptSizesMmu, outcome: Served) -> Any:
    return implies(outcome.installed, s.lets(outcome.vm, outcome.huge, outcome.part, outcome.page, outcome.write))


@law("EFF-2", "Splitting and merging take nothing away that was mapped.")
def resizing_takes_nothing_away(s: EptSizesMmu, before: EptSizesMmu, outcome: Resized, vm: Vm, huge: Huge, part: Part, page: Index,
                                write: bool) -> Any:
    return implies(before.lets(vm, huge, part, page, write), s.lets(vm, huge, part, page, write))
