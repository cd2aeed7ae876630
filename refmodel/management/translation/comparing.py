"""MMUs compared on address streams: exits as the designs here take them, walks as the streams cause them."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs

from refmodel.engines.exit_programs import Program
from refmodel.engines.exits import MMUS, exits_each
from refmodel.management.translation.costs import Hardware, Overhead, Walks, crossover, overheads, walks
from refmodel.management.translation.flushing import Flushed, flushed
from refmodel.management.translation.streams import Stream
from refmodel.management.translation.tables import Tables, tables

COMPARED = ("vtlb", "shadow_traced", "shadow_unsync", "shadow_pages", "direct", "ept", "npt")
"""MMUs whose guests run by themselves, with tables of their own."""
FLUSHING = ("shadow_pages", "ept")
"""One that exits for a guest's tables, and one that does not."""
REACHES = (64, 512, 1536)
"""Entries of TLBs: a small one, one of the first with EPT, a recent one."""


@functools.cache
def exits() -> dict[str, tuple[float, float, int]]:
    """By MMU: exits for a table edit, exits for an address space switch, and the dimensions of a walk; counted on the designs."""
    return {
        name: (exits_each(name, Program.edit_table) or 0.0, (exits_each(name, Program.switch) or 0.0) / 2, MMUS[name].dimensions)
        for name in COMPARED
    }


@attrs.frozen
class Crossover:
    """The number of table edits in a million instructions at which shadow paging and EPT cost the same."""

    tlb: int
    large: bool
    walked: Walks
    edits: float


@attrs.frozen
class Translation:
    """The cost of translation on an address stream."""

    edits: float
    switches: float
    overheads: list[Overhead]
    crossovers: list[Crossover]
    tables: list[Tables]
    flushed: list[Flushed]


def compare(stream: Stream, hardware: Hardware | None = None) -> Translation:
    """Every MMU and both sizes of pages; and the crossover, by the reach of the TLB."""
    hardware = hardware or Hardware()
    edit, _, _ = exits()["shadow_pages"]
    found = list[Crossover]()
    for entries in REACHES:
        for large in (False, True):
            some = attrs.evolve(hardware, tlb=entries)
            walked = walks(stream, some, large)
            found.append(Crossover(entries, large, walked, crossover(walked, some, edit)))
    return Translation(
        stream.edits,
        stream.switches,
        overheads(stream, hardware, exits()),
        found,
        tables(stream),
        flushed(stream, hardware, exits(), FLUSHING),
    )


def compared(streams: Mapping[str, Stream]) -> dict[str, Translation]:
    """Each stream by its name."""
    return {name: compare(stream) for name, stream in streams.items()}
