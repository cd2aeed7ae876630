"""Names are compared by order.

Expected: refused: has no order
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Vm


class NamesByOrder(Design):
    seen: Total[Vm, bool]
    owner: Total[Vm, Vm]
    geometry = geometry(Vm=2)

    @operation
    def see(self, vm: Vm, other: Vm) -> None:
        require(vm < other)
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
