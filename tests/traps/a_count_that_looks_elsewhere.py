"""What is counted depends on another table, which may change.

Expected: refused: the condition may not look at
"""

from typing import Any

from refmodel.language import Design, Total, count, geometry, law, operation
from refmodel.machine.names import Vm


class ACountThatLooksElsewhere(Design):
    seen: Total[Vm, bool]
    armed: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def arm(self, vm: Vm) -> None:
        self.armed[vm] = True

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = count(self.seen, lambda seen, v: self.armed[v]) == 1

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
