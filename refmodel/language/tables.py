"""Tables and pages as a text holds them on ints, and the name that is nobody's."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final, Generic, TypeVar

NOTHING: Final = -1
"""The name that is nobody's: what a field of a name holds before anything was stored in it."""


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Total(dict[K, V]):
    """A table in which every key has an entry; an entry to which nothing was stored is the default of its type.

    To store under NOTHING is an error, so the entry under NOTHING is always the default.
    """

    __slots__ = ("changed", "default")
    default: V
    changed: bool

    def __missing__(self, key: K) -> V:
        return self.default

    def __setitem__(self, key: K, value: V) -> None:
        if key == NOTHING or (isinstance(key, tuple) and NOTHING in key):
            raise KeyError("a store under NOTHING")
        self.changed = True
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: K) -> None:
        self.changed = True
        dict.__delitem__(self, key)

    def twin(self) -> Total[K, V]:
        """An independent copy, unchanged so far."""
        other = type(self)(self)
        other.default, other.changed = self.default, False
        return other


class Partial(Total[K, V]):
    """The concrete form of a ``dict[Key, Record]`` annotation: a key may be missing."""

    __slots__ = ()

    def __missing__(self, key: K) -> V:
        raise KeyError(key)


class Page(Generic[K, V]):
    """The contents of a frame, as one value: cells under names, such as ``Page[Offset, Content]``.

    ``page[offset]`` reads a cell, ``page.put(offset, content)`` is the page that differs in one cell, and whole pages are compared
    with ``==``. A cell that nobody wrote is zero."""

    __slots__ = ("cells", "zero")

    def __init__(self, zero: V, cells: Mapping[K, V] | None = None) -> None:
        self.zero = zero
        self.cells: dict[K, V] = {k: c for k, c in (cells or {}).items() if c != zero}

    def __getitem__(self, index: K) -> V:
        return self.cells.get(index, self.zero)

    def put(self, index: K, cell: V) -> Page[K, V]:
        """This page with one cell replaced. Raises KeyError under the name of nobody."""
        if index == NOTHING:
            raise KeyError("a cell under NOTHING")
        return Page(self.zero, {**self.cells, index: cell})

    def is_zero(self) -> bool:
        """Whether every cell is zero: what a scrubbed frame holds."""
        return not self.cells

    def scrubbed(self) -> Page[K, V]:
        """The page of zeroes."""
        return Page(self.zero)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Page) and self.cells == other.cells

    def __hash__(self) -> int:
        return hash(frozenset(self.cells.items()))

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{k}: {c}" for k, c in sorted(self.cells.items(), key=lambda kc: str(kc[0]))) + "}"
