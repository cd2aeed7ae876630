"""An address is rounded up. Only addresses of the last page overflow, and no run draws one.

Expected: shown by prove
"""

from typing import Annotated, Any

from refmodel.language import *
from refmodel.machine.names import Vm

Address = Annotated[int, Bits(64)]


class AWordThatOverflows(Design):
    end: Total[Vm, Address]
    geometry = geometry(Vm=1)

    @operation
    def reserve(self, vm: Vm, size: Address) -> None:
        self.end[vm] = (size + 4095) & ~4095

    @law("RES-1", "A region ends at a page.")
    def ends_at_a_page(s: Any, vm: Vm) -> bool:
        return s.end[vm] & 4095 == 0
