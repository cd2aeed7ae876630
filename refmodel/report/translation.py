"""Tables about what translation costs on recorded addresses."""

from __future__ import annotations

from refmodel.management.translation.comparing import Translation, exits
from refmodel.report.management import Table


def size(large: bool) -> str:
    return "2 MiB" if large else "4 KiB"


def exits_each() -> Table:
    """Exits for each edit and switch, by MMU."""
    return Table("exits, counted on the designs", ("MMU", "for a table edit", "for an address space switch", "walk"),
                 tuple((name, f"{edit:.1f}", f"{switch:.1f}", f"{dimensions} dimension{'s' if dimensions > 1 else ''}")
                       for name, (edit, switch, dimensions) in exits().items()))


def overheads(name: str, found: Translation) -> Table:
    """What each MMU costs on a stream."""
    rows = tuple((each.mmu, size(each.large), f"{each.walks:.1f}", f"{each.exits:.1f}", f"{each.all:.1f}")
                 for each in found.overheads)
    return Table(f"{name}: cycles for a thousand instructions ({found.edits:.1f} table edits and {found.switches:.2f} switches in "
                 "a million instructions)", ("MMU", "pages", "walks", "exits", "together"), rows)


def crossovers(name: str, found: Translation) -> Table:
    """Where shadow paging and EPT cost the same."""
    rows = tuple((f"{each.tlb:,} entries", size(each.large), f"{each.walked.misses:,.0f}",
                  _ratio(each.walked.native, each.walked.misses),
                  _ratio(each.walked.nested, each.walked.misses), str(each.walked.cold), f"{each.edits:,.1f}")
                 for each in found.crossovers)
    return Table(f"{name}: where shadow paging and EPT cost the same",
                 ("TLB", "pages", "misses in a million instructions", "references a walk, one dimension", "two dimensions",
                  "two, nothing cached", "shadow costs less below so many edits in a million instructions"), rows)


def _ratio(all_: float, some: float) -> str:
    return f"{all_ / some:.2f}" if some else "-"
