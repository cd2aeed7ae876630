"""match compares a flag by identity, which no term has.

Expected: refused: match takes patterns of values only
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class MatchOnAFlag(Design):
    seen: Total[Vm, bool]
    armed: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def arm(self, vm: Vm) -> None:
        self.armed[vm] = True

    @operation
    def see(self, vm: Vm) -> None:
        match self.armed[vm]:
            case True:
                self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
