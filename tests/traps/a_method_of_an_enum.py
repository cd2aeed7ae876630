"""An enum has a method, and a text calls it.

Expected: refused: write a helper that is given the member
"""

import enum
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class Use(enum.Enum):
    FREE = "free"
    HELD = "held"

    def is_held(self) -> bool:
        return self == Use.HELD


class AMethodOfAnEnum(Design):
    use: Total[Vm, Use]
    geometry = geometry(Vm=1)

    @operation
    def hold(self, vm: Vm) -> None:
        self.use[vm] = Use.HELD

    @law("ISO-1", "Nothing is held.")
    def nothing_is_held(s: Any, vm: Vm) -> bool:
        return not s.use[vm].is_held()
