"""State is kept in a dict of the module.

Expected: refused: state is in tables only
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm

ARMED: dict[str, bool] = {}


class ADictOfTheModule(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        ARMED["now"] = True
        self.seen[vm] = len(ARMED) > 1

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
