"""Two records print alike and are not alike: what a split operation remembers is told by what it is.

Expected: found by exhaustive, random
"""

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class R:
    a: bool = attrs.field(default=False, repr=False)


class AFieldThatIsNotPrinted(Design):
    t: Total[Vm, R]
    bad: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def put(self, vm: Vm, r: R) -> None:
        self.t[vm] = r

    @operation
    def go(self, vm: Vm):
        r = self.t[vm]
        self.t[vm] = R()
        yield
        if r.a:
            self.bad[vm] = True

    @law("ISO-1", "Never.")
    def nothing(s, vm: Vm) -> bool:
        return not s.bad[vm]
