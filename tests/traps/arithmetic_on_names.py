"""A name is counted on.

Expected: refused: no arithmetic on
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Vm


class ArithmeticOnNames(Design):
    seen: Total[Vm, bool]
    owner: Total[Vm, Vm]
    geometry = geometry(Vm=2)

    @operation
    def see(self, vm: Vm, other: Vm) -> None:
        require(self.owner[vm] == vm + 1)
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
