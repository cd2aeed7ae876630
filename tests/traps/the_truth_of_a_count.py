"""A number is taken for a truth value.

Expected: refused: is no condition
"""

from typing import Any

from refmodel.language import Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Vm


class TheTruthOfACount(Design):
    seen: Total[Vm, bool]
    owner: Total[Vm, Vm]
    geometry = geometry(Vm=2)

    @operation
    def see(self, vm: Vm, other: Vm) -> None:
        require(count(self.seen, lambda seen, v: seen))
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
