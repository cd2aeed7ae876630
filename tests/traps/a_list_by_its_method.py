"""State is kept in a list of the module, and changed by a method of the list's.

Expected: refused: state is in tables only
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm

LOG: list[bool] = []


class AListByItsMethod(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        LOG.append(True)
        self.seen[vm] = bool(LOG[1:])

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
