"""An operation and its parameter are called as what is chosen is in proofs.

Expected: found by prove
"""

import attrs

from refmodel.language import NOTHING, Design, Total, choose, count, geometry, law, operation, require
from refmodel.machine.names import Vm


@attrs.frozen
class E:
    owner: Vm = NOTHING
    other: Vm = NOTHING


class AnOperationCalledChoice(Design):
    on: Total[Vm, bool]
    t: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def choice0(self, owner: Vm) -> None:
        require(count(self.on, lambda on, v: on) >= 3)
        e = choose(E, lambda e: e.owner != NOTHING)
        if e.owner != owner:
            self.t[owner] = True

    @operation
    def turn_on(self, vm: Vm) -> None:
        self.on[vm] = True

    @law("ISO-1", "Never.")
    def nothing(s, vm: Vm) -> bool:
        return not s.t[vm]
