"""Members of an IntEnum are numbers, on ints only.

Expected: refused: more than its members
"""

import enum
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class Use(enum.IntEnum):
    FREE = 0
    HELD = 1


class AnIntEnum(Design):
    uses: Total[Vm, Use]
    geometry = geometry(Vm=1)

    @operation
    def hold(self, vm: Vm) -> None:
        if self.uses[vm] == 0:
            self.uses[vm] = Use.HELD

    @law("ISO-1", "Nothing is held.")
    def nothing(s: Any, vm: Vm) -> bool:
        return s.uses[vm] == Use.FREE
