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
from collections.abc import Iterator
from typing import TypeGuard

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.engines.layout import NATURAL_LIMIT, Layout, cell_keys, domain, stored_leaves
from refmodel.language.kinds import EnumKind, FlagKind, NameKind, NaturalKind, Scalar, WordKind
from refmodel.language.tables import NOTHING

Words = npt.NDArray[np.uint64]

RENAMINGS = 2000
"""With more renamings than this, some sorts are left as they are: fewer states are merged, and no wrong ones."""


MEMORY = 1 << 28
"""Bytes that the table of words may take; with more, fewer sorts are renamed."""


class Symmetry:
    """The renamings of a layout, and the words of its facts under each."""

    def __init__(self, layout: Layout, seed: int = 1) -> None:
        self.layout = layout
        self.sorts = _sorts(layout)
        options = [list(itertools.permutations(range(layout.geometry.size(s)))) for s in self.sorts]
        renamings = sorted(itertools.product(*options), key=lambda r: any(list(p) != sorted(p) for p in r))  # identity first
        self.order = len(renamings)
        self._images = {sort: np.array([r[i] for r in renamings], dtype=np.int64) for i, sort in enumerate(self.sorts)}
        """For each sort what becomes of its names (second axis) under each renaming (first axis)."""
        self._random = np.random.default_rng(seed)

    def words(self) -> tuple[Words, npt.NDArray[np.int32]]:
        """The words of all facts: a row for each value of each scalar, a word for each renaming; and for each scalar of a state
        the number of the row of its value 0."""
        tables, offsets, total = [], np.zeros(self.layout.height, dtype=np.int32), 0
        for block in _blocks(self.layout):
            homes, keys = self._renamed_keys(block), block.number_of_keys
            for position, leaf in enumerate(block.leaves):
                least, count = _range(leaf, self.layout)
                plain = self._random.integers(0, 1 << 64, size=(keys, count), dtype=np.uint64)
                values = self._renamed_values(leaf, least, count)
                tables.append(plain[homes[:, None, :], values[None, :, :]].reshape(keys * count, self.order))
                offsets[block.rows(position)] = total - least + count * np.arange(keys)
                total += keys * count
        return np.concatenate(tables), offsets

    def nameless(self) -> Words:
        """A word for each value of each scalar, in the order of ``words``, that is the same whatever names stand in it and in its
        key: states whose sums of these are the same look alike."""
        found = []
        for block in _blocks(self.layout):
            homes, places = _without_names(block)
            for leaf in block.leaves:
                least, count = _range(leaf, self.layout)
                looks = np.array([_look(leaf, code + least) for code in range(count)])
                plain = self._random.integers(0, 1 << 64, size=(places, int(looks.max()) + 1), dtype=np.uint64)
                found.append(plain[homes[:, None], looks[None, :]].reshape(-1))
        return np.concatenate(found)

    def _renamed_keys(self, block: _Block) -> npt.NDArray[np.int64]:
        """Which key of a table each key (first axis) becomes under each renaming (second axis)."""
        total = np.zeros((block.number_of_keys, self.order), dtype=np.int64)
        for kind, size, codes in zip(block.keys, block.sizes, block.codes(), strict=True):
            total = total * size + (self._images[kind.sort][:, codes].T if self._renames(kind) else codes[:, None])
        return total

    def _renamed_values(self, leaf: Scalar, least: int, count: int) -> npt.NDArray[np.int64]:
        """Which value of a scalar each value (first axis) becomes under each renaming (second axis), counted from the least."""
        if not self._renames(leaf):
            return np.broadcast_to(np.arange(count)[:, None], (count, self.order))
        nothing = np.zeros((1, self.order), dtype=np.int64)
        return np.concatenate([nothing, self._images[leaf.sort].T - least])

    def _renames(self, kind: Scalar) -> TypeGuard[NameKind]:
        return isinstance(kind, NameKind) and kind.sort in self._images


@attrs.frozen
class _Block:
    """A table, or the slots, as rows of a layout: so many scalars for each key, one key after the other."""

    first: int
    keys: tuple[Scalar, ...]
    sizes: tuple[int, ...]
    leaves: tuple[Scalar, ...]

    @property
    def number_of_keys(self) -> int:
        return math.prod(self.sizes)

    def codes(self) -> list[npt.NDArray[np.int64]]:
        """For each part of the keys its code in each of them."""
        return list(np.indices(self.sizes).reshape(len(self.sizes), -1)) if self.sizes else []

    def rows(self, position: int) -> npt.NDArray[np.int64]:
        """The rows of one scalar, one for each key."""
        return self.first + position + len(self.leaves) * np.arange(self.number_of_keys)


def _blocks(layout: Layout) -> Iterator[_Block]:
    for table in layout.design.tables:
        keys = cell_keys(table)
        yield _Block(layout.first[table.name], keys, tuple(domain(k, layout.geometry) for k in keys), stored_leaves(table))
    if layout.slots:
        yield _Block(layout.slots[0].first, (WordKind(7),), (len(layout.slots),), layout.slots[0].leaves)


def _without_names(block: _Block) -> tuple[npt.NDArray[np.int64], int]:
    """For each key which of the places it is that are told apart without names, and how many of these there are."""
    total, number = np.zeros(block.number_of_keys, dtype=np.int64), 1
    for kind, size, codes in zip(block.keys, block.sizes, block.codes(), strict=True):
        if not isinstance(kind, NameKind):
            total, number = total * size + codes, number * size
    return total, number


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


def _sorts(layout: Layout) -> list[str]:
    """The sorts to rename: all of them, or as many as the number of renamings allows, the largest first."""
    leaves = [leaf for table in layout.design.tables for leaf in (*cell_keys(table), *(k for _, k in table.value.leaves()))]
    names = sorted({leaf.sort for leaf in leaves if isinstance(leaf, NameKind)}, reverse=True)  # in the same order each time
    found = sorted(names, key=layout.geometry.size, reverse=True)
    facts = sum(block.number_of_keys * _range(leaf, layout)[1] for block in _blocks(layout) for leaf in block.leaves)
    most, chosen, order = min(RENAMINGS, MEMORY // (8 * max(facts, 1))), [], 1
    for sort in found:
        size = math.factorial(layout.geometry.size(sort))
        if order * size <= most and size > 1:
            chosen.append(sort)
            order *= size
    return chosen
