"""An operation that breaks the law stands at the top of the file, since its line is not indented: it was lost.

Expected: refused: the operation steal would never be taken: no class of this file has it under its name
"""

from typing import Any

from refmodel import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Vm


class AnOperationOutsideOfItsClass(Design):
    done: Total[Vm, bool]
    seen: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = not self.seen[vm]

    @law("ISO-1", "What is seen is not done.")
    def nothing(s: "AnOperationOutsideOfItsClass", vm: Vm) -> bool:
        return implies(s.seen[vm], not s.done[vm])


@operation
def steal(self: Any, vm: Vm) -> None:
    self.done[vm] = True
