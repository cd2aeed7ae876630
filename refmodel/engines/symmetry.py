"""States that differ only in what things are called are one state.

Names know only equality, so renaming a run gives a run, and it is enough to explore one state of each class. The
renamings are read off the types: every permutation of the names of every sort. Nothing is asked of the design.

A state is a set of facts, "this scalar holds this value". Each fact has a random word, a state the sum of its facts'
words, and its key is the least of the sums under all renamings: one 64-bit word, the same for the whole class. Sums can be
brought up to date fact by fact, which is what makes keys cheap. Two classes share a key with a probability of
about n^2 / 2^65 for n classes; a second seed tells.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refmodel.engines.layout import NATURAL_LIMIT, Layout, Place, cell_keys
from refmodel.language.kinds import NOTHING, EnumKind, FlagKind, NameKind, NaturalKind, Scalar, WordKind

Words = npt.NDArray[np.uint64]

RENAMINGS = 2000
"""With more renamings than this, some sorts are left as they are: fewer states are merged, and no wrong ones."""


class Symmetry:
    """The renamings of a layout, and the words of its facts under each."""

    def __init__(self, layout: Layout, seed: int = 1) -> None:
        self.layout = layout
        self.sorts = _sorts(layout)
        options = [list(itertools.permutations(range(layout.geometry.size(s)))) for s in self.sorts]
        self.renamings = [dict(zip(self.sorts, names, strict=True)) for names in itertools.product(*options)]
        self.renamings.sort(key=lambda r: any(list(p) != sorted(p) for p in r.values()))  # identity first
        self.order = len(self.renamings)
        self._words = _Words(seed)

    def words(self) -> tuple[Words, npt.NDArray[np.int32]]:
        """The words of all facts: a row for each value of each scalar, a word for each renaming; and for each scalar of a state
        the number of the row of its value 0."""
        tables, offsets, total = [], np.zeros(self.layout.height, dtype=np.int32), 0
        for place in (*self.layout.places, *self.layout.slots):
            homes = self._homes(place)
            for position, leaf in enumerate(place.leaves):
                least, count = _range(leaf, self.layout)
                tables.append(self._table(homes, position, leaf, least, count))
                offsets[place.first + position] = total - least
                total += count
        return np.concatenate(tables), offsets

    def nameless(self) -> Words:
        """A word for each value of each scalar, in the order of ``words``, that is the same whatever names stand in it and in its
        key: states whose sums of these are the same look alike."""
        found = []
        for place in (*self.layout.places, *self.layout.slots):
            keys = self._keys(place)
            home = (place.table, tuple(code for kind, code in zip(keys, place.key, strict=True) if not isinstance(kind, NameKind)))
            for position, leaf in enumerate(place.leaves):
                least, count = _range(leaf, self.layout)
                found += [self._words.word((home, position, _look(leaf, code + least))) for code in range(count)]
        return np.array(found, dtype=np.uint64)

    def _homes(self, place: Place) -> list[Any]:
        """What is spoken of at a place, under each renaming."""
        keys = self._keys(place)
        return [(place.table, tuple(_renamed(k, v, r) for k, v in zip(keys, place.key, strict=True))) for r in self.renamings]

    def _keys(self, place: Place) -> tuple[Scalar, ...]:
        """The kinds of what it takes to name a place."""
        return cell_keys(self.layout.design.table(place.table)) if place.table else (WordKind(7),)

    def _table(self, homes: list[Any], position: int, leaf: Scalar, least: int, count: int) -> Words:
        """Word of each value of one scalar (first axis) under each renaming (second axis)."""
        table = np.zeros((count, self.order), dtype=np.uint64)
        for code in range(count):
            for number, renaming in enumerate(self.renamings):
                table[code, number] = self._words.word((homes[number], position, _renamed(leaf, code + least, renaming)))
        return table


def _range(leaf: Scalar, layout: Layout) -> tuple[int, int]:
    """The least code of a leaf, and how many there are."""
    if isinstance(leaf, FlagKind):
        return 0, 2
    if isinstance(leaf, EnumKind):
        return 0, len(list(leaf.cls))
    if isinstance(leaf, NameKind):
        return NOTHING, layout.geometry.size(leaf.sort) + 1
    if isinstance(leaf, NaturalKind):
        return 0, NATURAL_LIMIT + 1
    assert isinstance(leaf, WordKind)
    return 0, 1 << leaf.width


def _look(leaf: Scalar, code: int) -> int:
    """A scalar without the name that it is; of counts it matters up to two only how many there are."""
    if isinstance(leaf, NameKind):
        return int(code != NOTHING)
    return min(code, 2) if isinstance(leaf, NaturalKind) else code


def _renamed(leaf: Scalar, code: int, renaming: dict[str, tuple[int, ...]]) -> int:
    if isinstance(leaf, NameKind) and code != NOTHING and leaf.sort in renaming:
        return renaming[leaf.sort][code]
    return code


def _sorts(layout: Layout) -> list[str]:
    """The sorts to rename: all of them, or as many as the number of renamings allows, the largest first."""
    leaves = [leaf for table in layout.design.tables for leaf in (*cell_keys(table), *(k for _, k in table.value.leaves()))]
    found = sorted({leaf.sort for leaf in leaves if isinstance(leaf, NameKind)}, key=lambda s: -layout.geometry.size(s))
    chosen, order = [], 1
    for sort in found:
        size = math.factorial(layout.geometry.size(sort))
        if order * size <= RENAMINGS and size > 1:
            chosen.append(sort)
            order *= size
    return chosen


class _Words:
    """A random word for each thing."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._known: dict[Any, int] = {}

    def word(self, thing: Any) -> int:
        if thing not in self._known:
            self._known[thing] = int(self._random.integers(0, 1 << 64, dtype=np.uint64))
        return self._known[thing]
