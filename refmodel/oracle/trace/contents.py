"""What is known of a page's contents: some of its bytes, and perhaps that all others are zero."""

from __future__ import annotations

import enum
from typing import TypeAlias

FULL = (1 << 64) - 1
WORD = 8
"""Bytes."""
WORDS_IN_A_PAGE = 4096 // WORD

Part: TypeAlias = tuple[int, int]
"""A word of which only some bits are known: the bits, and a mask of those that are."""


def known_bits(word: int | Part | None) -> Part:
    """What is known of a word, as bits and a mask."""
    if word is None:
        return 0, 0
    return word if isinstance(word, tuple) else (word, FULL)


def as_word(bits: int, mask: int) -> int | Part:
    """The other way round."""
    return bits if mask == FULL else (bits & mask, mask)


class Contents:
    """A page as far as it is known: 8-byte words by their offset in bytes. It can be written to in place.

    The laws compare pages with ``==`` and ask ``is_zero``; both answer whether it *may* be so, and are never asked in the
    negative: a law is broken only if nothing that is unknown could save it.
    """

    __slots__ = ("either", "former", "plain", "shut", "words", "zeroed")

    def __init__(self, words: dict[int, int | Part] | None = None, zeroed: bool = False) -> None:
        self.words: dict[int, int | Part] = {} if words is None else words
        self.zeroed = zeroed
        """Whether a word that is not in ``words`` is zero; otherwise nothing is known of it."""
        self.plain = False
        """Whether a store to it needs no more looking into: the page is its VM's own, and nobody watches for stores."""
        self.shut = False
        """Whether a load from it has to be looked into: no translation leads to it, as was reported."""
        self.either: Contents | None = None
        """What it holds, if it does not hold zeroes by now, where it is not known which. As long as there are no ``words``, nobody
        has written to it since, and it may still be lost."""
        self.former: Contents | None = None
        """What its frame held before it came to this guest."""

    def copy(self) -> Contents:
        other = Contents(dict(self.words), self.zeroed)
        other.former, other.either = self.former, self.either
        return other

    def become(self, other: Contents) -> None:
        """Hold what a copy does, which is of no more use then."""
        self.words, self.zeroed, self.former, self.either = other.words, other.zeroed, other.former, other.either

    @property
    def is_reported(self) -> bool:
        """Whether it was reported as free and nobody has written to it since, so that it may be lost."""
        return self.either is not None and not self.words

    def scrubbed(self) -> Contents:
        """A page of zeroes."""
        return Contents(zeroed=True)

    def bits(self, offset: int) -> Part:
        """What is known of the word at an offset that is a multiple of 8."""
        word = self.words.get(offset)
        return (0, FULL) if word is None and self.zeroed else known_bits(word)

    def learn(self, offset: int, bits: int, mask: int) -> bool:
        """Some bits of a word are seen; False if they are known to be others."""
        if self.either is not None and not self.words:
            return self._seen_while_it_may_be_lost(self.either, offset, bits, mask)
        had, known = self.bits(offset)
        if (had ^ bits) & known & mask:
            return False
        if new := mask & ~known:
            if self.either is not None and bits & new and not self.either.may_be(offset, bits, new):
                return False
            self.words[offset] = as_word((had & known) | (bits & mask), known | mask)
        return True

    def _seen_while_it_may_be_lost(self, old: Contents, offset: int, bits: int, mask: int) -> bool:
        """What was there may be lost after it was seen, so nothing is learned of that; zeroes in its place are there for good."""
        if not bits & mask and not old.may_be(offset, bits, mask):
            self.zeroed, self.either = True, None
            return True
        return not bits & mask or old.may_be(offset, bits, mask)

    def may_be(self, offset: int, bits: int, mask: int) -> bool:
        """Whether some bits of a word may be these."""
        had, known = self.bits(offset)
        return not (had ^ bits) & known & mask

    def put(self, offset: int, bits: int, mask: int = FULL) -> None:
        """Some bits of a word are written."""
        had, known = self.bits(offset)
        self.words[offset] = as_word((had & ~mask) | (bits & mask), known | mask)

    def doubt(self, offset: int, mask: int) -> None:
        """Some bits of a word may have been written: they are not known any more. A page that was reported as free may be lost as
        before."""
        if self.either is not None and not self.words:
            self._before_the_report().doubt(offset, mask)
            return
        had, known = self.bits(offset)
        if known & ~mask or self.zeroed or self.either is not None:
            self.words[offset] = as_word(had, known & ~mask)
        else:
            self.words.pop(offset, None)

    def doubt_bytes(self, offset: int, size: int) -> None:
        """Mark some bytes as not known."""
        first, end = -(-offset // WORD) * WORD, (offset + size) // WORD * WORD
        if self.either is not None:  # what was written is there whether the page was lost before or not
            self.either = self.either.copy()
            self.either.doubt_bytes(offset, size)
        if self.zeroed or self.either is not None:
            self.words.update(dict.fromkeys(range(first, end, WORD), as_word(0, 0)))
        else:
            for word in [word for word in self.words if first <= word < end]:
                del self.words[word]
        if offset < first:
            bits = 8 * (offset % WORD)
            self.doubt(first - WORD, (1 << 8 * min(size, first - offset)) - 1 << bits)
        if max(end, first) < offset + size:
            self.doubt(max(end, first), (1 << 8 * (offset + size - max(end, first))) - 1)

    def doubt_perhaps(self, offset: int, size: int) -> None:
        """Some bytes may have been written to, perhaps before the page was reported as free: it may be lost as before."""
        if self.either is None or self.words:
            self.doubt_bytes(offset, size)
            return
        self._before_the_report().doubt_bytes(offset, size)

    def _before_the_report(self) -> Contents:
        """What a reported page held, to be doubted: of its own, and no longer known to be zeroes."""
        assert self.either is not None
        self.either, self.zeroed = self.either.copy(), False
        return self.either

    def doubt_whole(self) -> None:
        """A page that was reported as free may have been stored to: it may hold anything, and may be lost as before."""
        if self.is_reported:
            self.zeroed, self.either = False, Contents()
        elif self.either is not None:
            self.forget(0, WORD * WORDS_IN_A_PAGE)

    def forget(self, offset: int, size: int) -> None:
        """Mark some bytes as not known; if these are all bytes of the page, nothing is known of it."""
        if size < WORD * WORDS_IN_A_PAGE:
            self.doubt_bytes(offset, size)
        else:
            self.words.clear()
            self.zeroed, self.either, self.former = False, None, None

    def is_unknown(self) -> bool:
        """Whether nothing is known of it."""
        return not self.words and not self.zeroed

    def is_zero(self) -> bool:
        return not any(bits & mask for bits, mask in map(known_bits, self.words.values()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Contents):
            return NotImplemented
        if self is other:
            return True
        for one, another in ((self, other), (other, self)):
            if one.is_reported:
                return another.is_zero() or one.either == another
        if self.is_unknown() or other.is_unknown():
            return True
        if self.words == other.words and self.zeroed == other.zeroed:
            return True
        return not any(
            (mine ^ theirs) & known & too
            for offset in {**self.words, **other.words}
            for (mine, known), (theirs, too) in [(self.bits(offset), other.bits(offset))]
        )

    __hash__ = None  # type: ignore[assignment]

    def differs_at(self, other: Contents) -> int | None:
        """The first offset at which two pages cannot be the same."""
        for offset in sorted({**self.words, **other.words}):
            (mine, known), (theirs, too) = self.bits(offset), other.bits(offset)
            if (mine ^ theirs) & known & too:
                return offset
        return None

    def unify(self, other: Contents) -> None:
        """Both pages are the same: what is known of one is known of the other. One that was reported as free holds zeroes, if what
        it held before cannot be the same."""
        if self.is_reported:
            held = other.either if other.is_reported else other
            if self.either != held:
                self.zeroed, self.either = True, Contents(zeroed=True)
            return
        for offset in list(other.words):
            self.learn(offset, *other.bits(offset))
        if other.zeroed and not self.zeroed:
            for offset in other.words.keys() - self.words.keys():  # they are known of neither
                self.words[offset] = as_word(0, 0)
            self.zeroed = True


def lost_perhaps() -> Contents:
    """A page of whose contents nothing is known, and which may lose them."""
    found = Contents()
    found.either = Contents()
    return found


class Reported(enum.Enum):
    """What is kept of many pages together that their guest has reported as free: what they held, unless that is lost by now."""

    ZEROES = True
    UNKNOWN = False

    def contents(self) -> Contents:
        """One of these pages."""
        found = Contents(zeroed=self.value)
        found.either = Contents(zeroed=self.value)
        return found
