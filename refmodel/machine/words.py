"""Words, and what page walks share on any architecture: memory that holds entries, and where a walk led."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple, Protocol

from refmodel.language.annotations import Bits

Word = Annotated[int, Bits(64)]

PAGE = 1 << 12
"""Bytes of the smallest page."""


class Translation(NamedTuple):
    """Where a walk led."""

    physical: Word
    """The physical address, in bytes."""
    level: int
    """That of the entry which maps the page: 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB."""
    rights: Word
    """The entries used, and-ed: a right that is here was given at every level."""
    denied: Word
    """The entries used, or-ed: what is denied at some level (NX) is here."""
    entry: Word
    """The one that maps the page."""


class WalkMemory(Protocol):
    """What a walk works on: where entries are read, and where accessed and dirty flags are set."""

    def read(self, address: Word) -> Word:
        """The 8-byte entry at an address."""

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        """Set flags in an entry that was read, if they are not set yet."""


class Marked:
    """Physical memory that is only looked at: the flags to be set are collected.

    ``words`` gives the 8-byte word at an address; what is not in it reads as zero.
    """

    __slots__ = ("marks", "words")

    def __init__(self, words: Mapping[int, int]) -> None:
        self.words = words
        self.marks: list[tuple[Word, Word]] = []
        """Addresses of entries and the flags that are to be set in each, in the order of use."""

    def read(self, address: Word) -> Word:
        return self.words.get(address, 0)

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        self.marks.append((address, flags))


def flags_of(marks: Iterable[tuple[Word, Word]]) -> dict[int, int]:
    """Flags by address."""
    flags: dict[int, int] = {}
    for address, bits in marks:
        flags[address] = flags.get(address, 0) | bits
    return flags


class Late:
    """Memory in which flags are set once the whole access is known to be let through, and then in the order of use.

    A processor may set accessed flags as it goes (SDM Vol. 3A 4.8), or as late as this; both are met in practice.
    """

    __slots__ = ("memory", "waiting")

    def __init__(self, memory: WalkMemory) -> None:
        self.memory = memory
        self.waiting: list[tuple[Word, Word, Word]] = []

    def read(self, address: Word) -> Word:
        return self.memory.read(address)

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        self.waiting.append((address, entry, flags))

    def settle(self) -> None:
        """The access is let through: set them."""
        for address, entry, flags in self.waiting:
            self.memory.mark(address, entry, flags)
