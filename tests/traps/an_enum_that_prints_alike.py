"""Two members of an enum print alike and are not alike.

Expected: found by exhaustive, random
"""

import enum

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class E(enum.Enum):
    A = 1
    B = 2

    def __repr__(self) -> str:
        return "E"


class AnEnumThatPrintsAlike(Design):
    t: Total[Vm, E]
    bad: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def put(self, vm: Vm, r: E) -> None:
        self.t[vm] = r

    @operation
    def go(self, vm: Vm):
        r = self.t[vm]
        self.t[vm] = E.A
        yield
        if r == E.B:
            self.bad[vm] = True

    @law("ISO-1", "Never.")
    def nothing(s, vm: Vm) -> bool:
        return not s.bad[vm]
