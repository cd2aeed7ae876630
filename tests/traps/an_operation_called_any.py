"""An operation and its parameter are called as the names of laws are in proofs.

Expected: found by prove
"""

from refmodel.language import NOTHING, Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Vm as V


class AnOperationCalledAny(Design):
    on: Total[V, bool]
    t: Total[V, bool]
    geometry = geometry(Vm=2)

    @operation
    def any(self, Vm: tuple[V, V]) -> None:
        require(count(self.on, lambda on, v: on) >= 3)
        require(Vm[1] != Vm[0])
        self.t[Vm[0]] = True

    @operation
    def turn_on(self, vm: V) -> None:
        self.on[vm] = True

    @law("ISO-1", "Never.")
    def nothing(s, vm: V) -> bool:
        return not s.t[vm]
