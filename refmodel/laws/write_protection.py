"""Write protection: no write is missed by whoever wanted to know of it."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Cpu, Gfn
from refmodel.mmu.write_protection import LogFetched, ProtectionServed, SwappedOut, WriteProtectionMmu, Zapped


@law("EQV-5", "A table that is shadowed is not writable, and nothing makes it so on the spot, which is how W is set at all.")
def shadowed_tables_stay_protected(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    entry = s.sptes[gfn]
    return (implies(s.shadowed[gfn] and entry.present, not entry.writable and not entry.mmu_writable)
            and implies(entry.writable, entry.present and entry.mmu_writable))


def may_write(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    """Whether a processor has the right to write to a page cached. The entry may have lost it since, and the flush be put off."""
    found = s.tlb[cpu, gfn]
    return found.present and found.writable


@law("EQV-5", "A table that is shadowed is written to by no processor, from its cache either: the shadow would miss it.")
def no_processor_writes_to_a_shadowed_table(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(s.shadowed[gfn], not may_write(s, cpu, gfn))


@law("EQV-5", "A processor can write from its cache only where a fault may set W on the spot: who takes that away flushes at once.")
def cached_writes_are_by_entries_that_may_be_writable(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(may_write(s, cpu, gfn), s.sptes[gfn].present and s.sptes[gfn].mmu_writable)


@law("EQV-4", "While a page is logged and is not in the log, no processor can write to it from its cache.")
def no_cached_write_is_missed(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(s.logging[gfn] and not s.logged[gfn], not may_write(s, cpu, gfn))


@law("EQV-4", "A page that a processor can write to from its cache may be written to by its entry as well, or is known to differ.")
def cached_writes_are_known_to_swap(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(may_write(s, cpu, gfn), s.sptes[gfn].writable or s.backed[gfn].dirty)


@law("ISO-1", "A processor has cached only pages that are in memory.")
def cached_pages_are_resident(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(s.tlb[cpu, gfn].present, s.backed[gfn].resident)


@law("EQV-4", "While a page is logged, no write to it is missing from the log.")
def no_logged_write_is_missed(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return not s.unlogged[gfn] and implies(s.logging[gfn] and s.sptes[gfn].writable, s.logged[gfn])


@law("EQV-4", "A page that differs from its copy on swap is known to, or may be written to still.")
def changed_pages_are_known(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    page = s.backed[gfn]
    return implies(page.resident and page.swapped and s.differs[gfn], page.dirty or s.sptes[gfn].writable)


@law("EQV-4", "A page that has no copy on swap counts as one that differs from it.")
def pages_without_a_copy_differ(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    page = s.backed[gfn]
    return implies(page.resident and not page.swapped, s.differs[gfn])


@law("EQV-1", "A page in memory that was written to differs from its copy on swap as long as it stays in memory.")
def what_was_written_stays(s: WriteProtectionMmu, before: WriteProtectionMmu, gfn: Gfn) -> Any:
    return implies(before.backed[gfn].resident and s.backed[gfn].resident and before.differs[gfn], s.differs[gfn])


@law("EQV-1", "A page that goes to swap was in memory, and is not any more.")
def pages_go_to_swap_from_memory(s: WriteProtectionMmu, before: WriteProtectionMmu, outcome: SwappedOut) -> Any:
    return before.backed[outcome.gfn].resident and not s.backed[outcome.gfn].resident


@law("EQV-1", "A page that went out is on swap as it was.")
def swapped_pages_are_as_they_were(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return implies(s.backed[gfn].swapped and not s.backed[gfn].resident, not s.differs[gfn])


@law("ISO-1", "Only a page that is in memory is mapped.")
def mapped_pages_are_resident(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return implies(s.sptes[gfn].present, s.backed[gfn].resident)


@law("EFF-2", "A fault that was served leaves a mapping, and one on a write a mapping that is writable.")
def a_served_protection_fault_makes_progress(s: WriteProtectionMmu, outcome: ProtectionServed) -> Any:
    entry = s.sptes[outcome.gfn]
    return entry.present and implies(outcome.write, entry.writable)


@law("EFF-2", "Only a table's sake keeps a page from being made writable by a fault.")
def what_is_no_table_can_be_made_writable(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    entry = s.sptes[gfn]
    return implies(entry.present and not s.shadowed[gfn], entry.writable or entry.mmu_writable)


@law("EFF-2", "A page whose place in the log was handed out is not in the log, so that a log can come to be empty.")
def what_was_fetched_is_not_in_the_log(s: WriteProtectionMmu, outcome: LogFetched) -> Any:
    return not s.logged[outcome.gfn]


@law("RES-3", "A page whose entry was zapped is mapped by no entry, and cached by no processor.")
def what_was_zapped_is_mapped_nowhere(s: WriteProtectionMmu, outcome: Zapped, cpu: Cpu) -> Any:
    return not s.sptes[outcome.gfn].present and not s.tlb[cpu, outcome.gfn].present
