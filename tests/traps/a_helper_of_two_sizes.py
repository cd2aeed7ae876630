"""A helper without types subtracts bytes in one call and larger constants in another: on ints, the constants overflowed a byte.

Expected: refused: arithmetic on words of 8 bits in one call and on larger constants in another
"""

from typing import Annotated

from refmodel import Bits, Design, Total, geometry, implies, law, operation, require
from refmodel.machine.names import Vm

Byte = Annotated[int, Bits(8)]
Half = Annotated[int, Bits(16)]


def less(a, b):  # type: ignore[no-untyped-def]
    return a - b


class AHelperOfTwoSizes(Design):
    small: Total[Vm, Byte]
    big: Total[Vm, Half]
    geometry = geometry(Vm=1)

    @operation
    def go(self, vm: Vm) -> None:
        require(self.small[vm] == 0)
        self.small[vm] = 5
        self.small[vm] = less(self.small[vm], 2)
        self.big[vm] = less(400, 1)

    @law("ISO-1", "Three goes with 399.")
    def alike(s: "AHelperOfTwoSizes", vm: Vm) -> bool:
        return implies(s.small[vm] == 3, s.big[vm] == 399)
