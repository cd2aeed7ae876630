"""What the laws ask for hangs on ``lent``, which no operation sets. A flag, a denied helper and a property stand before it.

Expected: vacuous under random, exhaustive, prove
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Mfn


@attrs.frozen
class Frame:
    used: bool = False
    lent: bool = False

    @property
    def right(self) -> bool:
        return not self.lent or self.used


def lost(s: Any, mfn: Mfn) -> bool:
    frame = s.frames[mfn]
    return frame.lent and not frame.used


class AConditionBehindAName(Design):
    frames: Total[Mfn, Frame]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.frames[mfn] = Frame(True)

    @law("ISO-1", "A frame that is lent is used, by a flag.")
    def by_a_flag(s: Any, mfn: Mfn) -> bool:
        ok = True
        if s.frames[mfn].lent:
            ok = s.frames[mfn].used
        return ok

    @law("ISO-1", "A frame that is lent is used, by a denied helper.")
    def by_a_helper(s: Any, mfn: Mfn) -> bool:
        return not lost(s, mfn=mfn)

    @law("ISO-1", "A frame that is lent is used, by a property.")
    def by_a_property(s: Any, mfn: Mfn) -> bool:
        return s.frames[mfn].right
