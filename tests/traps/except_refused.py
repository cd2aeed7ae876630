"""What the engines raise is caught.

Expected: refused: try would swallow
"""

from typing import Any

from refmodel.language import Design, Refused, Total, geometry, law, operation, require
from refmodel.machine.names import Vm


class ExceptRefused(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        try:
            require(self.seen[vm])
        except Refused:
            self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
