"""A condition that an operation is to end computes below zero: on ints it is no number, and so no condition.

Expected: found by prove, exhaustive, random
"""

from refmodel.language import Design, Total, geometry, law, operation, pending, require
from refmodel.machine.names import Count, Gfn


class APendingThatUnderflows(Design):
    left: Total[Gfn, Count]
    geometry = geometry(Gfn=2)

    @operation
    def begin(self, gfn: Gfn) -> None:
        require(self.left[gfn] < 3)
        self.left[gfn] = self.left[gfn] + 1

    @operation
    def end(self, gfn: Gfn) -> None:
        self.left[gfn] = 0

    @law("RES-1", "At most three are left.")
    def at_most_three(self, gfn: Gfn) -> bool:
        return self.left[gfn] <= 3

    @pending("EFF-4", "What is left comes to an end.", until="end")
    def something_left(self, gfn: Gfn) -> bool:
        return self.left[gfn] - 1 >= 1
