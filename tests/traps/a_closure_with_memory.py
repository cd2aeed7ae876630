"""State is kept in a cell that a helper closes over.

Expected: refused: state is in tables only
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


def counter() -> Any:
    memory = [0]

    def more() -> bool:
        memory[0] += 1
        return memory[0] > 2

    return more


more = counter()


class AClosureWithMemory(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = more()

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
