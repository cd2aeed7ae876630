"""What translation costs, by MMU and page size, on a recorded stream of addresses.

Caches are taken to be fully associative and to let go what was used longest ago, so stack distances say exactly what misses
(``estimating/stack_distance.py``). A processor has a TLB for pages, and caches of upper entries, so that a walk reads only what
those do not have (SDM Vol. 3A 4.10.3). In two dimensions each reference to a guest's table is a guest-physical address itself,
which a nested TLB may have (Bhargava et al., ASPLOS 2008).
"""

from __future__ import annotations

import attrs
import numpy as np

from refmodel.management.estimating.stack_distance import Numbers, distances
from refmodel.management.recording import Flags
from refmodel.management.translation.streams import Stream

BITS = 9
"""Of an address that each level of a table translates (SDM Vol. 3A 4.5)."""
LEVELS = 4


@attrs.frozen
class Hardware:
    """Entries of a processor's caches, and cycles."""

    tlb: int = 1536
    """Entries for pages of either size."""
    upper: int = 32
    """Entries of each cache of upper entries."""
    nested: int = 32
    """Entries of the nested TLB, for guest-physical pages of tables."""
    reference: float = 20.0
    """Cycles of a memory reference of a walk: most hit a second-level cache (an assumption)."""
    exit: float = 2000.0
    """Cycles of an exit and entry (Landau et al., SplitX, WIOV 2011: direct cost, Xeon X5570)."""


@attrs.frozen
class Walks:
    """The TLB misses and memory references of an address stream, for a million instructions."""

    large: bool
    misses: float
    """Of the TLB."""
    native: float
    """References of all walks in one dimension."""
    nested: float
    """References of all walks in two dimensions."""
    cold: float
    """References of a walk in two dimensions that finds nothing cached."""


def missing(keys: Numbers, entries: int) -> Flags:
    """Which accesses of a stream miss a cache with so many entries; a first access always does."""
    return np.asarray(distances(keys) >= entries)


def walks(stream: Stream, hardware: Hardware, large: bool) -> Walks:
    """A stream over pages of 4 KiB, or of 2 MiB in guest and monitor alike."""
    levels = LEVELS - 1 if large else LEVELS
    keys = stream.pages >> BITS if large else stream.pages
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    missed = keys[missing(keys, hardware.tlb)]
    native, nested = len(missed), 0
    host = _host_walk(missed, hardware, levels)
    nested += len(missed) + host  # the leaf, and the walk to the page itself
    for above in range(1, levels):
        table = missed >> BITS * above
        cached_out = table[missing(table, hardware.upper)]
        native += len(cached_out)
        nested += len(cached_out)
    for above in range(levels):
        table = missed >> BITS * (above + 1)  # a guest's table page stands for the region that it maps
        read = table if above == 0 else table[missing(missed >> BITS * above, hardware.upper)]
        nested += _host_walk(read[missing(read, hardware.nested)], hardware, LEVELS)
    per = 1e6 / stream.instructions
    return Walks(large, len(missed) * per, native * per, nested * per, (levels + 1) * (levels + 1) - 1)


def _host_walk(pages: Numbers, hardware: Hardware, levels: int) -> int:
    """References of the second dimension for so many walks to pages, with caches of upper entries of its own."""
    return len(pages) + sum(int(np.count_nonzero(missing(pages >> BITS * above, hardware.upper))) for above in range(1, levels))


@attrs.frozen
class Overhead:
    """The cost of translation on an MMU, in cycles for a thousand instructions."""

    mmu: str
    large: bool
    walks: float
    exits: float

    @property
    def all(self) -> float:
        return self.walks + self.exits


def overheads(stream: Stream, hardware: Hardware, exits: dict[str, tuple[float, float, int]]) -> list[Overhead]:
    """Each MMU's overhead. ``exits`` has for each its exits for a table edit and for an address space switch, and the dimensions
    of its walk."""
    found = []
    for large in (False, True):
        walked = walks(stream, hardware, large)
        fewer = 1 / (1 << BITS) if large else 1.0  # a large page is one edit where there were 512
        for mmu, (edit, switch, dimensions) in exits.items():
            references = walked.nested if dimensions == 2 else walked.native
            leaving = stream.edits * fewer * edit + stream.switches * switch
            found.append(Overhead(mmu, large, references * hardware.reference / 1000, leaving * hardware.exit / 1000))
    return found


def crossover(walked: Walks, hardware: Hardware, exits_an_edit: float) -> float:
    """Table edits in a million instructions at which shadow paging costs as much as EPT: below that it costs less."""
    return (walked.nested - walked.native) * hardware.reference / (exits_an_edit * hardware.exit)
