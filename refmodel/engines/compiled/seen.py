"""The keys of the states that were seen: a table in which compiled code looks, with open places."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refmodel.engines.compiled.context import MIXING

Keys = npt.NDArray[np.int64]

AT_ONCE = 1 << 20
"""Places of an old table that are gone through at once, so that a larger one costs little memory beside itself."""


def size_for(classes: int) -> int:
    """Places of a table with room for so many keys: at least twice as many, and a power of two."""
    return 1 << (2 * classes).bit_length()


def is_crowded(seen: Keys, classes: int) -> bool:
    """Whether a table is slow with so many keys."""
    return 2 * classes > len(seen)


def is_full(seen: Keys, classes: int) -> bool:
    """Whether a table is too slow with so many keys."""
    return classes > len(seen) // 8 * 7


def moved(seen: Keys, size: int) -> Keys:
    """These keys in a larger table, each where compiled code looks for it."""
    table = np.zeros(size, dtype=np.uint64)
    for first in range(0, len(seen), AT_ONCE):
        old = seen[first : first + AT_ONCE]
        _put(table, old[old != 0].view(np.uint64))
    return table.view(np.int64)


def _put(table: npt.NDArray[np.uint64], keys: npt.NDArray[np.uint64]) -> None:
    last = np.uint64(len(table) - 1)
    slots = ((keys * np.uint64(MIXING % (1 << 64))) >> np.uint64(20)) & last
    while len(keys):
        free = table[slots] == 0
        table[slots[free]] = keys[free]  # of several that want one place, the last has it
        kept = table[slots] != keys
        keys, slots = keys[kept], (slots[kept] + np.uint64(1)) & last


__all__ = ["is_crowded", "is_full", "moved", "size_for"]
