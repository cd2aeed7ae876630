"""The second operand of ``and`` requires something on one of its paths; the others are paths too.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Vm


class MayRefusesInAnd(Design):
    allowed: Total[Vm, bool]
    asked: Total[Vm, bool]
    done: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def allow(self, vm: Vm) -> None:
        self.allowed[vm] = True

    @operation
    def ask(self, vm: Vm) -> None:
        self.asked[vm] = True

    @operation
    def act(self, vm: Vm) -> None:
        if self.asked[vm] and self.may(vm):
            self.done[vm] = True

    def may(self, vm: Vm) -> bool:
        if not self.allowed[vm]:
            require(self.done[vm])
        return True

    @law("ISO-1", "Nothing is ever done.")
    def nothing_done(s: Any, vm: Vm) -> bool:
        return not s.done[vm]
