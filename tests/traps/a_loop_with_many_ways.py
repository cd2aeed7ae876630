"""Ways through a loop double with each condition behind which it goes on: of sixty, no proof and no search would come to an end.

Expected: refused: more than 24 conditions behind which it goes on either way
"""

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Count, Vm


class ALoopWithManyWays(Design):
    number: Total[Vm, Count]
    geometry = geometry(Vm=2, naturals=3)

    @operation
    def go(self, one: Vm, other: Vm, third: Vm) -> None:
        for number in range(20):
            for vm in (one, other, third):
                if self.number[vm] < number:
                    self.number[vm] += 1

    @law("RES-1", "No VM counts beyond nineteen.")
    def nineteen_at_most(s: "ALoopWithManyWays", vm: Vm) -> bool:
        return s.number[vm] <= 19
