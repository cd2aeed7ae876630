"""Two counts stand on one line, and their conditions differ after ``and``.

Expected: found by prove, exhaustive, random
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


@attrs.frozen
class Frame:
    used: bool = False
    dirty: bool = False
    old: bool = False


class TwoCountsOnALine(Design):
    frames: Total[Mfn, Frame]
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def use(self, mfn: Mfn, dirty: bool, old: bool) -> None:
        self.frames[mfn] = Frame(True, dirty, old)

    @operation
    def look(self, vm: Vm) -> None:
        require(count(self.frames, lambda f, m: f.used and f.dirty) != count(self.frames, lambda f, m: f.used and f.old))
        self.seen[vm] = True

    @law("RES-1", "Neither kind is more than the other.")
    def never_seen(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
