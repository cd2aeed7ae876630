"""What a table may become by itself is asked of a method, which has a helper write the table.

Expected: refused: seen_may_be only looks: it may not change a table; change it in an operation
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AMayBeThatWritesElsewhere(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    def seen_may_be(self, vm: Vm, value: bool) -> bool:
        self.clear(vm)
        return value

    def clear(self, vm: Vm) -> None:
        self.seen[vm] = False

    @law("ISO-1", "What was seen is seen.")
    def seen_or_not(s: Any, vm: Vm) -> Any:
        return s.seen[vm] == s.seen[vm]
