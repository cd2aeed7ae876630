"""The references of a two-dimensional walk as a grid: a row for each of the guest's levels and one for the data, a column for
each level of the second tables and one for the guest's entry itself. 24 with four levels each (Bhargava et al., ASPLOS 2008)."""

from __future__ import annotations

import contextlib

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Marked
from refmodel.machine.x86.ept_walk import Ept
from refmodel.machine.x86.nested_walk import walk_through_ept, walk_through_npt
from refmodel.oracle.x86.nested_tests import NestedTest, entry_words, is_guest_s, level_of


@attrs.frozen
class Reference:
    """One of the references, or a place where there is none."""

    number: int = 0
    address: str = ""
    entry: str = ""
    decides: bool = False
    """Whether the walk ends at it, so that this is where the deviation is."""
    again: bool = False
    """Whether it does so when it comes here once more, to set a flag in the guest's entry."""


@attrs.frozen
class Grid:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Reference, ...]], ...]


class _Noted(Marked):
    """Memory that notes what is referred to, walk by walk: each begins at the second tables' root, and a guest's entry ends it."""

    def __init__(self, words: dict[int, int]) -> None:
        super().__init__(words)
        self.walks: list[list[int]] = []

    def read(self, address: int) -> int:
        if not self.walks or is_guest_s(self.walks[-1][-1]) or address == self.walks[-1][0]:
            self.walks.append([])
        self.walks[-1].append(address)
        return super().read(address)

    def mark(self, address: int, entry: int, flags: int) -> None:
        """A flag that is set in a guest's entry is a walk of its own, and told by that."""


def grid(test: NestedTest) -> Grid:
    """The references that the walk of a test makes, in order."""
    memory = _Noted({**test.fixed, **test.entries})
    with contextlib.suppress(Fault):
        if isinstance(test.second, Ept):
            walk_through_ept(memory, test.second, test.cpu, test.gva, test.access)
        else:
            walk_through_npt(memory, test.second, test.cpu, test.gva, test.access)
    walks, again = _without_flags(memory.walks)
    levels, count = test.cpu.levels, 0
    rows: list[list[Reference]] = [[Reference() for _ in range(5)] for _ in range(levels + 1)]
    for row, addresses in enumerate(walks[: levels + 1]):
        for address in addresses:
            count += 1
            words = entry_words(test, address, memory.words.get(address, 0))
            rows[row][4 if is_guest_s(address) else 4 - level_of(address)] = Reference(count, f"{address:#x}", words)
    _mark_the_end(rows, walks, memory.walks[-1] if memory.walks else [], again)
    names = [f"guest's level {level}" for level in range(levels, 0, -1)] + ["data"]
    return Grid(
        ("level 4", "level 3", "level 2", "level 1", "guest's entry"),
        tuple((name, tuple(cells)) for name, cells in zip(names, rows, strict=True)),
    )


def _without_flags(walks: list[list[int]]) -> tuple[list[list[int]], bool]:
    """The walks, without those that go where the one before went, to set a flag there; and whether the last is such a one."""
    kept: list[list[int]] = []
    again = False
    for addresses in walks:
        again = bool(kept) and is_guest_s(kept[-1][-1]) and kept[-1][: len(addresses)] == addresses
        if not again:
            kept.append(addresses)
    return kept, again


def _mark_the_end(rows: list[list[Reference]], walks: list[list[int]], last: list[int], again: bool) -> None:
    if not last:
        return
    row = rows[min(len(walks), len(rows)) - 1]
    at = next(i for i, reference in enumerate(row) if reference.address == f"{last[-1]:#x}")
    row[at] = attrs.evolve(row[at], decides=True, again=again)
