"""The default of a field is a name that no text may write down.

Expected: refused: the default of w is 0
"""

import attrs

from refmodel.language import NOTHING, Bits, Design, Natural, Total, count, geometry, law, operation, require
from refmodel.machine.names import Gfn, Vm


@attrs.frozen
class R:
    on: bool = False
    w: Vm = 0


class ADefaultThatIsAName(Design):
    t: Total[Vm, bool]
    u: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def put(self, vm: Vm) -> None:
        self.t[vm] = True

    @operation
    def two(self, vm: Vm, other: Vm) -> None:
        require(vm != other and self.t[vm] and not self.t[other])
        if R().w == other:
            self.u[vm] = True

    @law("ISO-1", "Never.")
    def nothing(s, vm: Vm) -> bool:
        return not s.u[vm]
