"""Pages that are alike, kept as one: a large leaf of 1 GiB is one piece, not 262,144 entries.

A piece gives its first page's value; those of the others follow, frame by frame. What is stored for one page by itself comes before
what a piece says of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from refmodel.mmu.contract import Derived
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import P2mEntry

SMALL, LARGE = 9, 18
"""Bits of a frame number that a bucket leaves out: pieces of up to 512 pages, and larger ones."""


class Piece(NamedTuple):
    """Pages, or frames, from the first to the last, and the value of the first."""

    first: int
    last: int
    value: Any

    def at(self, number: int) -> Any:
        return shifted(self.value, number - self.first)


Undo: TypeAlias = tuple[int, int, int, list[Piece]]
"""Whose pieces, from where, how many there are now, and those that were there before."""


def shifted(value: Any, by: int) -> Any:
    """What a value is for a page so many pages further on."""
    if by == 0:
        return value
    if isinstance(value, Derived):
        return Derived(value.present, value.mfn + by, value.writable) if value.present else value
    if isinstance(value, P2mEntry):
        return P2mEntry(value.backing, value.mfn + by, value.writable, value.slot) if value.resident else value
    if isinstance(value, Frame):
        return Frame(value.use, value.vm, value.gfn + by, value.references) if value.use == Use.PRIVATE else value
    if isinstance(value, tuple):
        return tuple(each._replace(derived=shifted(each.derived, by)) for each in value)
    return value


def frames_of(value: Any) -> tuple[int, ...]:
    """The frames that a value leads to."""
    if isinstance(value, Derived):
        return (value.mfn,) if value.present else ()
    if isinstance(value, P2mEntry):
        return (value.mfn,) if value.resident else ()
    if isinstance(value, tuple):
        return tuple(each.derived.mfn for each in value if each.derived.present)
    return ()


class Ranges:
    """The pieces of one table, by VM (of frames, all under one name), none overlapping another."""

    def __init__(self) -> None:
        self.pieces: dict[int, list[Piece]] = {}
        self.firsts: dict[int, list[int]] = {}
        self.buckets: dict[tuple[int, int], list[tuple[int, Piece, int]]] = {}
        """By frame: the pieces that lead there, whose they are, and the frame that the first page leads to."""

    def find(self, whose: int, number: int) -> Piece | None:
        firsts = self.firsts.get(whose)
        if not firsts:
            return None
        at = bisect_right(firsts, number) - 1
        if at < 0:
            return None
        piece = self.pieces[whose][at]
        return piece if number <= piece.last else None

    def overlapping(self, whose: int, first: int, last: int) -> list[Piece]:
        start, end = self._span(whose, first, last)
        return self.pieces.get(whose, [])[start:end]

    def _span(self, whose: int, first: int, last: int) -> tuple[int, int]:
        firsts, pieces = self.firsts.get(whose, []), self.pieces.get(whose, [])
        start = bisect_right(firsts, first)
        if start and pieces[start - 1].last >= first:
            start -= 1
        return start, bisect_right(firsts, last)

    def put(self, whose: int, first: int, last: int, value: Any) -> Undo:
        """From now on these have this value; None if nothing is said of them by a piece."""
        start, end = self._span(whose, first, last)
        old = self.pieces.get(whose, [])[start:end]
        new = [Piece(first, last, value)] if value is not None else []
        if old and old[0].first < first:
            new.insert(0, Piece(old[0].first, first - 1, old[0].value))
        if old and old[-1].last > last:
            new.append(Piece(last + 1, old[-1].last, old[-1].at(last + 1)))
        pieces = self.pieces.get(whose, [])
        if new and start and _go_on(pieces[start - 1], new[0]):
            start -= 1
            new.insert(0, pieces[start])
        if new and end < len(pieces) and _go_on(new[-1], pieces[end]):
            new.append(pieces[end])
            end += 1
        old, new = pieces[start:end], _joined(new)
        self._replace(whose, start, end, new)
        return whose, start, len(new), old

    def undo(self, how: Undo) -> None:
        whose, start, number, old = how
        self._replace(whose, start, start + number, old)

    def _replace(self, whose: int, start: int, end: int, new: list[Piece]) -> None:
        pieces, firsts = self.pieces.setdefault(whose, []), self.firsts.setdefault(whose, [])
        for piece in pieces[start:end]:
            for bucket, mfn in _buckets(piece):
                held = self.buckets[bucket]
                held.remove((whose, piece, mfn))
                if not held:
                    del self.buckets[bucket]
        pieces[start:end] = new
        firsts[start:end] = [piece.first for piece in new]
        for piece in new:
            for bucket, mfn in _buckets(piece):
                self.buckets.setdefault(bucket, []).append((whose, piece, mfn))

    def pages_at(self, mfn: int) -> list[tuple[int, int]]:
        """The pages that pieces lead to this frame."""
        found = []
        for bucket in ((SMALL, mfn >> SMALL), (LARGE, mfn >> LARGE)):
            for whose, piece, first in self.buckets.get(bucket, ()):
                if first <= mfn <= first + piece.last - piece.first:
                    found.append((whose, piece.first + mfn - first))
        return found

    def leading_to(self, first: int, last: int) -> Iterator[tuple[int, Piece, int]]:
        """The pieces that lead to some of these frames: whose they are, and to which frame the first page leads."""
        seen = set()
        for shift in (SMALL, LARGE):
            low, high = first >> shift, last >> shift
            if high - low > len(self.buckets):
                buckets = [at for of, at in self.buckets if of == shift and low <= at <= high]
            else:
                buckets = list(range(low, high + 1))
            for bucket in buckets:
                for whose, piece, mfn in self.buckets.get((shift, bucket), ()):
                    if mfn <= last and first <= mfn + piece.last - piece.first and (whose, piece.first, mfn) not in seen:
                        seen.add((whose, piece.first, mfn))
                        yield whose, piece, mfn


def _go_on(piece: Piece, following: Piece) -> bool:
    """Whether a piece is the continuation of another, so that both are one."""
    value = following.value
    return piece.last + 1 == following.first and type(piece.value) is type(value) and bool(piece.at(following.first) == value)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """These pieces, of which those that go on are one."""
    found = pieces[:1]
    for piece in pieces[1:]:
        if _go_on(found[-1], piece):
            found[-1] = Piece(found[-1].first, piece.last, found[-1].value)
        else:
            found.append(piece)
    return found


def _buckets(piece: Piece) -> Iterator[tuple[tuple[int, int], int]]:
    """The buckets that a piece is in, each with the frame that its first page leads to."""
    length = piece.last - piece.first
    shift = SMALL if length < 1 << SMALL else LARGE
    for mfn in frames_of(piece.value):
        for bucket in range(mfn >> shift, (mfn + length >> shift) + 1):
            yield (shift, bucket), mfn


class Mentioned:
    """Pages, or frames, of which something is kept by itself; pieces say nothing of them alone."""

    def __init__(self) -> None:
        self.regions: dict[int, dict[int, set[int]]] = {}
        """By VM (of frames, all under one name), and by region."""

    def add(self, whose: int, number: int) -> None:
        of_whose = self.regions.get(whose)
        if of_whose is None:
            of_whose = self.regions[whose] = {}
        region = of_whose.get(number >> SMALL)
        if region is None:
            of_whose[number >> SMALL] = {number}
        else:
            region.add(number)

    def discard(self, whose: int, number: int) -> None:
        self.regions.get(whose, {}).get(number >> SMALL, set()).discard(number)

    def within(self, whose: int, first: int, last: int) -> set[int]:
        """Those from the first to the last."""
        of_whose = self.regions.get(whose)
        if of_whose is None:
            return set()
        low, high = first >> SMALL, last >> SMALL
        if first == last:
            return {first} if first in of_whose.get(low, ()) else set()
        if high - low > len(of_whose):
            regions = [region for at, region in of_whose.items() if low <= at <= high]
        else:
            regions = [of_whose[at] for at in range(low, high + 1) if at in of_whose]
        return {number for region in regions for number in region if first <= number <= last}


__all__ = ["Mentioned", "Piece", "Ranges", "Undo", "frames_of", "shifted"]
