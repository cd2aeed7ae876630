"""A name is bound in an operand of and, which may not happen.

Expected: refused: walrus
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AWalrus(Design):
    seen: Total[Vm, bool]
    armed: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        now = True
        if self.armed[vm] and (now := self.seen[vm]):
            pass
        self.seen[vm] = now

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
