"""Loops within loops would never be done.

Expected: refused: statements when all loops are written out
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class LoopsWithoutEnd(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        for _ in range(64):
            for _ in range(64):
                for _ in range(64):
                    for _ in range(64):
                        self.seen[vm] = not self.seen[vm]

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
