"""States that differ only in what things are called are one state.

Names know only equality, so renaming a run gives a run, and it is enough to explore one state of each class. The
renamings are read off the types: every permutation of the names of every sort. Nothing is asked of the design.

A state is a set of facts, "this place holds this value". Each fact has a random word, a state the sum of its facts'
words, and its key is the least of the sums under all renamings: one 64-bit word, the same for the whole class. Sums can be
brought up to date fact by fact, which is what makes keys cheap. Two classes share a key with a probability of
about n^2 / 2^65 for n classes; a second seed tells.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from refmodel.engines.layout import NATURAL_LIMIT, Layout, Matrix, Place, cell_keys
from refmodel.language.kinds import NOTHING, EnumKind, FlagKind, NameKind, NaturalKind, Scalar, WordKind

Words = npt.NDArray[np.uint64]

RENAMINGS = 2000
"""With more renamings than this, some sorts are left as they are: fewer states are merged, and no wrong ones."""

_CODES = 4096
"""A place with more values than this is split: words are tabulated for every value."""


class Symmetry:
    """The renamings of a layout, and the words of its facts under each."""

    def __init__(self, layout: Layout, seed: int = 1) -> None:
        self.layout = layout
        self.sorts = _sorts(layout)
        options = [list(itertools.permutations(range(layout.geometry.size(s)))) for s in self.sorts]
        self.renamings = [dict(zip(self.sorts, names, strict=True)) for names in itertools.product(*options)]
        self.renamings.sort(key=lambda r: any(list(p) != sorted(p) for p in r.values()))  # identity first
        self.order = len(self.renamings)
        self.facts = [fact for place in layout.places for fact in _split(place, layout)]
        self._words = _Words(seed)
        self.fact_of_row = np.zeros(layout.height, dtype=np.int64)
        for number, fact in enumerate(self.facts):
            self.fact_of_row[fact.first:fact.first + len(fact.leaves)] = number

    @functools.cached_property
    def _tables(self) -> list[Words]:
        return [self._table(fact) for fact in self.facts]

    def _table(self, fact: _Fact) -> Words:
        """Word of each value (first axis) under each renaming (second axis)."""
        table = np.zeros((fact.size, self.order), dtype=np.uint64)
        homes = self._homes(fact)
        for code in range(fact.size):
            values = fact.values(code)
            for number, renaming in enumerate(self.renamings):
                image = tuple(_renamed(leaf, v, renaming) for leaf, v in zip(fact.leaves, values, strict=True))
                table[code, number] = self._words.word((homes[number], image))
        return table

    def by_byte(self) -> tuple[Words, npt.NDArray[np.int32]]:
        """The words as they are if every scalar is a fact of its own: a table of rows, one for each value of each scalar, and for
        each scalar of a state where the row of its value 0 is."""
        tables, offsets, total = [], np.zeros(self.layout.height, dtype=np.int32), 0
        for fact in self.facts:
            homes = self._homes(fact)
            for position in range(len(fact.leaves)):
                tables.append(_rows_of_leaf(fact, position, self._words, homes, self))
                offsets[fact.first + position] = total - fact.lows[position]
                total += fact.radices[position]
        return np.concatenate(tables), offsets

    def _homes(self, fact: _Fact) -> list[Any]:
        """What a fact is about, under each renaming."""
        keys = cell_keys(self.layout.design.table(fact.place.table))
        return [(fact.place.table, fact.offset, tuple(_renamed(k, v, r) for k, v in zip(keys, fact.place.key, strict=True)))
                for r in self.renamings]

    def codes(self, number: int, rows: Any) -> npt.NDArray[np.intp]:
        """The value of one fact in every state, as an index to its words; ``rows`` gives the rows of the matrix."""
        fact = self.facts[number]
        total: Any = np.intp(0)
        for i, (low, radix) in enumerate(zip(fact.lows, fact.radices, strict=True)):
            total = total * radix + (np.asarray(rows(fact.first + i)).astype(np.intp) - low)
        return np.asarray(total)

    def sums(self, matrix: Matrix) -> Words:
        """The sum of every state (first axis) under every renaming (second axis)."""
        total = np.zeros((matrix.shape[1], self.order), dtype=np.uint64)
        for number, table in enumerate(self._tables):
            total += table[self.codes(number, matrix.__getitem__)]
        return total

    def difference(self, number: int, old: npt.NDArray[np.intp], new: npt.NDArray[np.intp]) -> Words:
        """What to add to the sums when a fact's value changes."""
        table = self._tables[number]
        return table[new] - table[old]

    @staticmethod
    def keys(sums: Words) -> Words:
        """The least sum under any renaming."""
        least: Words = sums.min(axis=1)
        return least

    def sizes(self, sums: Words) -> npt.NDArray[np.int64]:
        """How many states each class has: the renamings, less those that change nothing."""
        sizes: npt.NDArray[np.int64] = self.order // (sums == sums[:, :1]).sum(axis=1)
        return sizes


def _rows_of_leaf(fact: _Fact, position: int, words: _Words, homes: list[Any], symmetry: Symmetry) -> Words:
    """Word of each value of one leaf (first axis) under each renaming (second axis)."""
    leaf, low, radix = fact.leaves[position], fact.lows[position], fact.radices[position]
    table = np.zeros((radix, symmetry.order), dtype=np.uint64)
    for code in range(radix):
        for number, renaming in enumerate(symmetry.renamings):
            table[code, number] = words.word((homes[number], position, _renamed(leaf, code + low, renaming)))
    return table


class _Fact:
    """A place, or as much of it as can be tabulated."""

    def __init__(self, place: Place, offset: int, leaves: tuple[Scalar, ...], layout: Layout) -> None:
        self.place, self.offset, self.leaves = place, offset, leaves
        self.first = place.first + offset
        ranges = [_range(leaf, layout) for leaf in leaves]
        self.lows = [low for low, _ in ranges]
        self.radices = [count for _, count in ranges]
        self.size = math.prod(self.radices)

    def values(self, code: int) -> list[int]:
        """The encoded leaves of a code."""
        values = []
        for low, radix in zip(reversed(self.lows), reversed(self.radices), strict=True):
            code, digit = divmod(code, radix)
            values.append(digit + low)
        return values[::-1]


def _split(place: Place, layout: Layout) -> list[_Fact]:
    facts, start = [], 0
    while start < len(place.leaves):
        end = start + 1
        while end < len(place.leaves) and math.prod(_range(leaf, layout)[1] for leaf in place.leaves[start:end + 1]) <= _CODES:
            end += 1
        facts.append(_Fact(place, start, place.leaves[start:end], layout))
        start = end
    return facts


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
    return 0, min(1 << leaf.width, 128)


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
