"""A law is claimed for numbers, of which runs try a few.

Expected: refused: numbers have no end
"""

from typing import Annotated

from refmodel.language import NOTHING, Bits, Design, Natural, Total, count, geometry, law, operation, require
from refmodel.machine.names import Gfn, Mfn, Vm

W = Annotated[int, Bits(8)]


class ALawAboutNumbers(Design):
    t: Total[Vm, W]
    geometry = geometry(Vm=1)

    @operation
    def put(self, vm: Vm, w: W) -> None:
        require(w < 4)
        self.t[vm] = w * 40

    @law("ISO-1", "No entry is 120.")
    def nothing(s, vm: Vm, w: W) -> bool:
        return s.t[vm] != w or w != 120
