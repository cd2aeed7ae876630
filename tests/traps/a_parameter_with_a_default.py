"""A fault for one page, as the default of its parameter seems to say: it may be taken for every page.

Expected: refused: has a default value; an operation may be taken with every value
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AParameterWithADefault(Design):
    mapped: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def fault(self, vm: Vm, again: bool = False) -> None:
        self.mapped[vm] = not again

    @law("ISO-1", "A page stays mapped.")
    def mapped_for_good(s: "AParameterWithADefault", before: "AParameterWithADefault", vm: Vm) -> Any:
        return s.mapped[vm] or not before.mapped[vm]
