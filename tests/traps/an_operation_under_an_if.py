"""Each of two operations of one name stands under an `if` of its own: the first would never be taken.

Expected: refused: `if True:` stands in the body of a class
"""

from refmodel import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Vm


class AnOperationUnderAnIf(Design):
    done: Total[Vm, bool]
    seen: Total[Vm, bool]
    geometry = geometry(Vm=2)

    if True:

        @operation
        def steal(self, vm: Vm) -> None:
            self.done[vm] = True

    if True:

        @operation
        def steal(self, vm: Vm) -> None:
            self.seen[vm] = not self.seen[vm]

    @law("ISO-1", "What is seen is not done.")
    def nothing(s: "AnOperationUnderAnIf", vm: Vm) -> bool:
        return implies(s.seen[vm], not s.done[vm])
