"""Tables about what translation costs on recorded addresses."""

from __future__ import annotations

from refmodel.management.translation.comparing import Translation, exits
from refmodel.report.management import Table


def size(large: bool) -> str:
    return "2 MiB" if large else "4 KiB"


def exits_each() -> Table:
    """Exits for each edit and switch, by MMU."""
    return Table(
        "exits, counted on the designs",
        ("MMU", "exits for a table edit", "exits for an address space switch", "walk"),
        tuple(
            (name, f"{edit:.1f}", f"{switch:.1f}", f"{dimensions} dimension{'s' if dimensions > 1 else ''}")
            for name, (edit, switch, dimensions) in exits().items()
        ),
    )


def overheads(name: str, found: Translation) -> Table:
    """What each MMU costs on a stream."""
    rows = tuple(
        (each.mmu, size(each.large), f"{each.walks:.1f}", f"{each.exits:.1f}", f"{each.all:.1f}") for each in found.overheads
    )
    return Table(
        f"{name}: cycles for a thousand instructions ({found.edits:.1f} table edits and {found.switches:.2f} switches in "
        "a million instructions)",
        ("MMU", "page size", "cycles for walks", "cycles for exits", "cycles in all"),
        rows,
    )


def crossovers(name: str, found: Translation) -> Table:
    """Where shadow paging and EPT cost the same."""
    rows = tuple(
        (
            f"{each.tlb:,} entries",
            size(each.large),
            f"{each.walked.misses:,.0f}",
            _ratio(each.walked.native, each.walked.misses),
            _ratio(each.walked.nested, each.walked.misses),
            str(each.walked.cold),
            f"{each.edits:,.1f}",
        )
        for each in found.crossovers
    )
    return Table(
        f"{name}: where shadow paging and EPT cost the same",
        (
            "TLB",
            "page size",
            "misses in a million instructions",
            "references of a one-dimensional walk",
            "references of a two-dimensional walk",
            "references of a two-dimensional walk without caches",
            "table edits in a million instructions below which shadow paging costs less",
        ),
        rows,
    )


def tables(name: str, found: Translation) -> Table:
    """What an MMU's own tables take."""
    rows = tuple((each.kind, size(each.large), f"{each.pages:,}", f"{each.part:.2f} %") for each in found.tables)
    return Table(
        f"{name}: table pages that the monitor keeps",
        ("tables", "page size", "table pages", "part of the memory that the program touches"),
        rows,
    )


def flushed(name: str, found: Translation) -> Table:
    """What flushes cost."""
    rows = tuple((each.discipline, each.mmu, f"{each.flushes:,.2f}", f"{each.misses:,.0f}") for each in found.flushed)
    return Table(
        f"{name}: flushes of the TLB, by discipline",
        ("when the TLB is flushed", "MMU", "flushes in a million instructions", "TLB misses in a million instructions"),
        rows,
    )


def of(name: str, found: Translation) -> tuple[Table, ...]:
    """Everything about a stream."""
    return overheads(name, found), crossovers(name, found), tables(name, found), flushed(name, found)


def _ratio(all_: float, some: float) -> str:
    return f"{all_ / some:.2f}" if some else "-"
