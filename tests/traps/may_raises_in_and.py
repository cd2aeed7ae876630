"""The second operand of ``and`` raises a Fault on one of its paths; the others are paths too.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Fault, Total, geometry, law, operation
from refmodel.machine.names import Vm


class Denied(Fault):
    pass


class MayRaisesInAnd(Design):
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
            raise Denied
        return True

    @law("ISO-1", "Nothing is ever done.")
    def nothing_done(s: Any, vm: Vm) -> bool:
        return not s.done[vm]
