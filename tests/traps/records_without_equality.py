"""Records are equal only to themselves, on ints.

Expected: refused: has no __eq__ by its fields
"""

from typing import Annotated

import attrs

from refmodel.language import NOTHING, Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Gfn, Mfn, Vm


@attrs.frozen(eq=False)
class R:
    a: bool = False
    b: bool = False


class RecordsWithoutEquality(Design):
    t: Total[Vm, R]
    n: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def put(self, vm: Vm, r: R) -> None:
        self.t[vm] = r

    @operation
    def move(self, vm: Vm, other: Vm) -> None:
        self.t[vm] = self.t[other]

    @operation
    def go(self, vm: Vm, other: Vm) -> None:
        x = self.t[vm]
        if x == R(a=True, b=True):
            self.n[vm] = True

    @law("ISO-1", "Never.")
    def nothing(s, vm: Vm) -> bool:
        return not s.n[vm]
