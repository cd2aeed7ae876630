"""Slots of a swap device that several pages use, and the frames that they are copies of.

Pages that share a frame are written to one slot, and may come back to one frame as long as that frame is in the swap cache. The
model has a slot of its own for each page: the first page that is written to a slot has the slot of that number, and each further
one a slot without a number, which stands for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from refmodel.language import NOTHING

UNNAMED = NOTHING - 1
"""Slots from here down have no number: they stand for a slot that others use too, or for one of which the number was not told."""
FEW = 64
"""Uses of one slot of which it is not looked whether they have ended."""


class SwapCache:
    """What the model's slots stand for. None of it is taken back where an order of events is tried out: it only explains."""

    def __init__(self) -> None:
        self._frames: defaultdict[int, set[int]] = defaultdict(set)
        """By slot: the frames that it is a copy of, if pages share one or may come to it again. One that was read for a page alone
        does not end that another is there for those that share it."""
        self._slots: defaultdict[int, set[int]] = defaultdict(set)
        self.untold: set[int] = set()
        """Frames to which a page came back from a slot that nobody told."""
        self._stand_for: dict[int, int] = {}
        """By slot without a number: the slot that it stands for."""
        self._standing: defaultdict[int, list[int]] = defaultdict(list)
        self._most: defaultdict[int, int] = defaultdict(lambda: FEW)
        self._unnamed = 0

    def unnamed(self, stands_for: int | None, is_used: Callable[[int], bool]) -> int:
        """A new slot without a number, which may stand for another. ``is_used`` says whether a slot still holds a copy."""
        slot = UNNAMED - self._unnamed
        self._unnamed += 1
        if stands_for is not None:
            self._stand_for[slot] = stands_for
            standing = self._standing[stands_for]
            standing.append(slot)
            if len(standing) > self._most[stands_for]:
                for old in [each for each in standing[:-1] if not is_used(each)]:
                    del self._stand_for[old]
                standing[:] = [each for each in standing if each in self._stand_for]
                self._most[stands_for] = max(FEW, 2 * len(standing))
        return slot

    def number(self, slot: int) -> int:
        """The slot that a slot without a number stands for; itself if it stands for none."""
        return self._stand_for.get(slot, slot)

    def uses(self, slot: int) -> Iterator[int]:
        """A slot, and those that stand for it."""
        yield slot
        yield from self._standing.get(slot, ())

    def frames(self, slot: int) -> frozenset[int]:
        """The frames that a slot is a copy of, as far as they are known."""
        return frozenset(self._frames.get(slot, ()))

    def put(self, slot: int, mfn: int) -> None:
        """A frame is in the swap cache: a slot is its copy."""
        self._frames[slot].add(mfn)
        self._slots[mfn].add(slot)

    def drop(self, slot: int) -> None:
        """A slot is written to anew."""
        for mfn in self._frames.pop(slot, ()):
            self._slots[mfn].discard(slot)
            if not self._slots[mfn]:
                del self._slots[mfn]

    def holds(self, mfns: Iterable[int]) -> bool:
        """Whether one of these frames is in the swap cache."""
        return bool(self._slots or self.untold) and any(mfn in self._slots or mfn in self.untold for mfn in mfns)

    def taken(self, mfn: int) -> None:
        """A frame is taken from the free ones: it is no slot's any more."""
        self.untold.discard(mfn)
        self._leave(mfn)

    def moved(self, mfn: int, to: int) -> None:
        """What a frame holds is in another."""
        if mfn in self.untold:
            self.untold.discard(mfn)
            self.untold.add(to)
        for slot in self._leave(mfn):
            self.put(slot, to)

    def _leave(self, mfn: int) -> set[int]:
        """The slots of which a frame was the copy, and is no longer."""
        slots = self._slots.pop(mfn, set())
        for slot in slots:
            self._frames[slot].discard(mfn)
            if not self._frames[slot]:
                del self._frames[slot]
        return slots
