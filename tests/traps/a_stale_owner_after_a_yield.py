"""Who has a frame was looked up before a yield, in a table that another operation writes to meanwhile.

Expected: found by prove, exhaustive, random
"""

from collections.abc import Iterator
from typing import Any

from refmodel.language import NOTHING, Design, Total, choose, geometry, implies, law, operation, require
from refmodel.machine.names import Gfn, Mfn, Vm


class AStaleOwnerAfterAYield(Design):
    of: Total[Mfn, Vm]
    mapped: Total[tuple[Vm, Gfn], Mfn]
    arbitrary = ("of",)
    geometry = geometry(Vm=2, Gfn=1, Mfn=2)

    @operation
    def fault(self, vm: Vm, gfn: Gfn) -> Iterator[None]:
        mfn = choose(Mfn, lambda mfn: self.of[mfn] == vm)
        yield
        require(self.mapped[vm, gfn] == NOTHING)
        self.mapped[vm, gfn] = mfn

    @operation
    def give(self, vm: Vm, gfn: Gfn, mfn: Mfn, to: Vm) -> None:
        require(self.of[mfn] == vm and self.mapped[vm, gfn] != mfn)
        self.of[mfn] = to

    @law("ISO-1", "A page is mapped to a frame of its VM.")
    def own_frames_only(s: Any, vm: Vm, gfn: Gfn) -> bool:
        return implies(s.mapped[vm, gfn] != NOTHING, s.of[s.mapped[vm, gfn]] == vm)
