"""Laws say how many entries there are of a kind of which there is none.

Expected: vacuous in part under random, exhaustive, prove: no_other_is, fewer, most_one, helped, as_many, listed, asked, got
"""

from enum import Enum
from typing import Any

from refmodel.language import Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Mfn


class Use(Enum):
    FREE = 0
    USED = 1
    SHARED = 2


def shared(use: Use, mfn: Mfn) -> bool:
    return use == Use.SHARED


def how_many(s: Any) -> int:
    return count(s.use, shared)


class ACountOfNothing(Design):
    use: Total[Mfn, Use]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def take(self, mfn: Mfn) -> None:
        require(self.use[mfn] == Use.FREE)
        self.use[mfn] = Use.USED

    @operation
    def give_back(self, mfn: Mfn) -> None:
        require(self.use[mfn] == Use.USED)
        self.use[mfn] = Use.FREE

    @law("ISO-1", "No frame is shared.")
    def is_not_shared(s: Any, mfn: Mfn) -> bool:
        return s.use[mfn] != Use.SHARED

    @law("ISO-2", "A shared frame is this one.")
    def no_other_is(s: Any, mfn: Mfn) -> bool:
        return count(s.use, lambda use, other: use == Use.SHARED and other != mfn) == 0

    @law("ISO-3", "A shared frame is this one.")
    def fewer(s: Any, mfn: Mfn) -> bool:
        return not count(s.use, lambda use, other: use == Use.SHARED and other != mfn) >= 1

    @law("ISO-4", "At most one frame is shared.")
    def most_one(s: Any) -> bool:
        number = count(s.use, lambda use, mfn: use == Use.SHARED)
        return number <= 1

    @law("ISO-5", "At most two frames are shared.")
    def helped(s: Any) -> bool:
        return count(s.use, shared) < 3

    @law("ISO-6", "As many frames are shared as are shared.")
    def as_many(s: Any, mfn: Mfn) -> bool:
        return count(s.use, lambda use, other: use == Use.SHARED and other == mfn) == count(
            s.use, lambda use, other: other == mfn and use == Use.SHARED
        )

    @law("ISO-7", "At most one frame is shared.")
    def listed(s: Any) -> bool:
        return count(s.use, shared) in (0, 1)

    @law("ISO-8", "At most one frame is shared.")
    def asked(s: Any) -> bool:
        return how_many(s) < 2

    @property
    def number(self) -> int:
        return how_many(self)

    @law("ISO-9", "At most one frame is shared.")
    def got(s: Any) -> bool:
        return not s.number > 1
