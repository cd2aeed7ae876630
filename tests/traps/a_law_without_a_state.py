"""A law calls the state after a step ``before``, and was read as one about the state alone.

Expected: refused: expected the state as its first parameter
"""

from typing import Any

from refmodel.language import *
from refmodel.machine.names import Vm


class ALawWithoutAState(Design):
    on: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def switch(self, vm: Vm) -> None:
        self.on[vm] = False

    @law("RES-1", "A flag stays on.")
    def stays_on(before: Any, s: Any, vm: Vm) -> bool:
        return not before.on[vm] or s.on[vm]
