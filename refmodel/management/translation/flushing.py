"""What flushes cost, by discipline: how many of a stream's translations a TLB has lost when they are needed again.

Without a VPID a processor forgets a guest's translations at every exit and entry (SDM Vol. 3C 28.3.3.1), and without a PCID at
every switch of address spaces (SDM Vol. 3A 4.10.4.1). With tags from a finite pool all are flushed when the pool is used up.
"""

from __future__ import annotations

import attrs
import numpy as np

from refmodel.management.estimating.stack_distance import distances, previous
from refmodel.management.translation.costs import Hardware
from refmodel.management.translation.streams import NEAR, Stream

POOL = 8
"""Tags of a small pool."""


@attrs.frozen
class Flushed:
    """The cost of a flush discipline under an MMU, in a million instructions."""

    discipline: str
    mmu: str
    flushes: float
    misses: float
    """Of the TLB, those after a flush among them."""


def flushed(stream: Stream, hardware: Hardware, exits: dict[str, tuple[float, float, int]], mmus: tuple[str, ...]) -> list[Flushed]:
    """Each discipline under each of some MMUs; ``exits`` has for each its exits for a table edit and for a switch."""
    found = list[Flushed]()
    for mmu in mmus:
        edit, switch, _ = exits[mmu]
        rates = {
            "never: there is a tag for each address space": 0.0,
            f"when a pool of {POOL} tags is used up": stream.switches / POOL,
            "at each switch of address spaces: there is no PCID": stream.switches,
            "at each switch and at each exit: there is no PCID and no VPID": stream.switches
            + stream.edits * edit
            + stream.switches * switch,
        }
        found += [Flushed(discipline, mmu, rate, misses(stream, hardware.tlb, rate)) for discipline, rate in rates.items()]
    return found


def misses(stream: Stream, entries: int, flushes: float) -> float:
    """TLB misses in a million instructions with so many flushes, at equal distances.

    The pages used last are left out of a stream (``NEAR``); after a flush each of them is missed once.
    """
    missed = distances(stream.pages) >= entries
    per = 1e6 / stream.instructions
    if flushes == 0:
        return float(np.count_nonzero(missed)) * per
    apart = max(len(stream.pages) * per / flushes, 1.0)
    at = np.arange(len(stream.pages))
    missed |= previous(stream.pages) < np.floor(at / apart) * apart
    return float(np.count_nonzero(missed)) * per + flushes * NEAR
