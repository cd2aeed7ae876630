"""A number is never below zero, whatever the operations do.

Expected: found by prove
"""

from typing import Annotated, Any

from refmodel.language import Design, Natural, Total, geometry, law, operation, require
from refmodel.machine.names import Vm

Count = Annotated[int, Natural()]


class ALawThatIsTrueOfItsKind(Design):
    pages: Total[Vm, Count]
    geometry = geometry(Vm=2)

    @operation
    def take(self, vm: Vm) -> None:
        require(self.pages[vm] < 2)
        self.pages[vm] += 1

    @law("RES-1", "A VM has at least no page.")
    def at_least_none(s: Any, vm: Vm) -> bool:
        return s.pages[vm] >= 0
