"""Write protection: no write is missed by whoever wanted to know of it."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Cpu, Gfn
from refmodel.mmu.write_protection import LogFetched, ProtectionServed, SwappedOut, WriteProtectionMmu, Zapped


@law("EQV-5", "The SPTE of a shadowed table is neither writable nor MMU-writable; every writable SPTE is also MMU-writable.")
def shadowed_tables_stay_protected(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    entry = s.sptes[gfn]
    return implies(s.shadowed[gfn] and entry.present, not entry.writable and not entry.mmu_writable) and implies(
        entry.writable, entry.present and entry.mmu_writable
    )


def may_write(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    """Whether a processor has the right to write to a page cached. The entry may have lost it since, and the flush be put off."""
    found = s.tlb[cpu, gfn]
    return found.present and found.writable


@law("EQV-5", "No processor has a writable TLB entry for a shadowed table.")
def no_processor_writes_to_a_shadowed_table(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(s.shadowed[gfn], not may_write(s, cpu, gfn))


@law("EQV-5", "A processor has a writable TLB entry for a page only if the page's SPTE is MMU-writable.")
def cached_writes_are_by_entries_that_may_be_writable(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(may_write(s, cpu, gfn), s.sptes[gfn].present and s.sptes[gfn].mmu_writable)


@law("EQV-4", "While a page is dirty-logged but not in the log, no processor has a writable TLB entry for the page.")
def no_cached_write_is_missed(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(s.logging[gfn] and not s.logged[gfn], not may_write(s, cpu, gfn))


@law("EQV-4", "If a processor has a writable TLB entry for a page, the page's SPTE is writable or the page is marked dirty.")
def cached_writes_are_known_to_swap(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(may_write(s, cpu, gfn), s.sptes[gfn].writable or s.backed[gfn].dirty)


@law("ISO-1", "A processor has TLB entries only for pages that are in memory.")
def cached_pages_are_resident(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    return implies(s.tlb[cpu, gfn].present, s.backed[gfn].resident)


@law(
    "EQV-4",
    "While a page is dirty-logged, the log misses no store to the page, and the SPTE is writable only if the page is logged.",
)
def no_logged_write_is_missed(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return not s.unlogged[gfn] and implies(s.logging[gfn] and s.sptes[gfn].writable, s.logged[gfn])


@law("EQV-4", "A page in memory that differs from its copy on swap is marked dirty, or its SPTE is writable.")
def changed_pages_are_known(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    page = s.backed[gfn]
    return implies(page.resident and page.swapped and s.differs[gfn], page.dirty or s.sptes[gfn].writable)


@law("EQV-4", "A page in memory that has no copy on swap counts as different from swap.")
def pages_without_a_copy_differ(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    page = s.backed[gfn]
    return implies(page.resident and not page.swapped, s.differs[gfn])


@law("EQV-1", "A page that differs from its copy on swap keeps differing while it stays in memory.")
def what_was_written_stays(s: WriteProtectionMmu, before: WriteProtectionMmu, gfn: Gfn) -> Any:
    return implies(before.backed[gfn].resident and s.backed[gfn].resident and before.differs[gfn], s.differs[gfn])


@law("EQV-1", "A page that is swapped out was in memory before, and is not in memory afterwards.")
def pages_go_to_swap_from_memory(s: WriteProtectionMmu, before: WriteProtectionMmu, outcome: SwappedOut) -> Any:
    return before.backed[outcome.gfn].resident and not s.backed[outcome.gfn].resident


@law("EQV-1", "The copy on swap of a page that is not in memory holds the page's last contents.")
def swapped_pages_are_as_they_were(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return implies(s.backed[gfn].swapped and not s.backed[gfn].resident, not s.differs[gfn])


@law("ISO-1", "Only a page that is in memory has a present SPTE.")
def mapped_pages_are_resident(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return implies(s.sptes[gfn].present, s.backed[gfn].resident)


@law("EFF-2", "After a fault is served, the page has a present SPTE, which is writable if the fault was on a store.")
def a_served_protection_fault_makes_progress(s: WriteProtectionMmu, outcome: ProtectionServed) -> Any:
    entry = s.sptes[outcome.gfn]
    return entry.present and implies(outcome.write, entry.writable)


@law("EFF-2", "A present SPTE of a page that is not a shadowed table is writable, or can be made writable by a fault.")
def what_is_no_table_can_be_made_writable(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    entry = s.sptes[gfn]
    return implies(entry.present and not s.shadowed[gfn], entry.writable or entry.mmu_writable)


@law("EFF-2", "After the log entry of a page is fetched, the page is not in the log.")
def what_was_fetched_is_not_in_the_log(s: WriteProtectionMmu, outcome: LogFetched) -> Any:
    return not s.logged[outcome.gfn]


@law("RES-3", "After the SPTE of a page is zapped, the page has no SPTE and no TLB entry.")
def what_was_zapped_is_mapped_nowhere(s: WriteProtectionMmu, outcome: Zapped, cpu: Cpu) -> Any:
    return not s.sptes[outcome.gfn].present and not s.tlb[cpu, outcome.gfn].present
