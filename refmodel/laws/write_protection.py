"""Write protection: no write is missed by whoever wanted to know of it."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Cpu, Gfn
from refmodel.mmu.write_protection import WriteProtectionMmu


@law("EQV-5", "A table that is shadowed is not writable, and nothing makes it so on the spot.")
def shadowed_tables_stay_protected(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    entry = s.sptes[gfn]
    return implies(s.shadowed[gfn] and entry.present, not entry.writable and not entry.mmu_writable)


@law("EQV-5", "What a processor has cached gives no right that the entry does not give.")
def cached_rights_are_the_entrys(s: WriteProtectionMmu, cpu: Cpu, gfn: Gfn) -> Any:
    found, entry = s.tlb[cpu, gfn], s.sptes[gfn]
    return (implies(found.present, entry.present) and implies(found.present and found.writable, entry.writable)
            and implies(entry.writable, entry.present))


@law("EQV-4", "While a page is logged, no write to it is missing from the log.")
def no_logged_write_is_missed(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return not s.unlogged[gfn] and implies(s.logging[gfn] and s.sptes[gfn].writable, s.logged[gfn])


@law("EQV-4", "A page that differs from its copy on swap is known to, or may be written to still.")
def changed_pages_are_known(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    page = s.backed[gfn]
    return implies(page.resident and page.swapped and s.differs[gfn], page.dirty or s.sptes[gfn].writable)


@law("EQV-1", "A page that went out is on swap as it was.")
def swapped_pages_are_as_they_were(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return implies(s.backed[gfn].swapped and not s.backed[gfn].resident, not s.differs[gfn])


@law("ISO-1", "Only a page that is in memory is mapped.")
def mapped_pages_are_resident(s: WriteProtectionMmu, gfn: Gfn) -> Any:
    return implies(s.sptes[gfn].present, s.backed[gfn].resident)


LAWS = (
    shadowed_tables_stay_protected,
    cached_rights_are_the_entrys,
    no_logged_write_is_missed,
    changed_pages_are_known,
    swapped_pages_are_as_they_were,
    mapped_pages_are_resident,
)
