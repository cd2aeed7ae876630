"""How much memory an MMU's own tables take: shadow tables over guest-virtual addresses, EPT over guest-physical ones."""

from __future__ import annotations

import attrs
import numpy as np

from refmodel.management.estimating.stack_distance import Numbers
from refmodel.management.translation.costs import BITS, LEVELS
from refmodel.management.translation.streams import Stream


@attrs.frozen
class Tables:
    """The number of table pages that the monitor keeps for a program, in addition to the guest's own tables."""

    kind: str
    """``shadow`` or ``EPT``."""
    large: bool
    pages: int
    part: float
    """Of the memory that the program touches, in per cent."""


def tables(stream: Stream) -> list[Tables]:
    """Of shadow paging for the program's address space, and of EPT for the frames that it has, each of either size.

    A guest hands out its frames in a row, which is the best case for EPT. Shadow tables are needed again for every address space,
    and EPT once for a VM.
    """
    touched = np.unique(stream.pages)
    found = list[Tables]()
    for large in (False, True):
        leaves = np.unique(touched >> BITS) if large else touched
        levels = range(1, LEVELS if large else LEVELS + 1)
        memory = len(leaves) << (BITS if large else 0)
        for kind, addresses in (("shadow", leaves), ("EPT", np.arange(len(leaves)))):
            pages = sum(_tables(addresses, level) for level in levels)
            found.append(Tables(kind, large, pages, 100 * pages / memory))
    return found


def _tables(addresses: Numbers, level: int) -> int:
    return len(np.unique(addresses >> BITS * level))
