"""What a table may become by itself is asked of a method, which chooses the answer.

Expected: refused: seen_may_be only looks: it may not choose; choose in an operation
"""

from typing import Any

from refmodel.language import Design, Total, choose, geometry, law, operation
from refmodel.machine.names import Vm


class AMayBeThatChooses(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    def seen_may_be(self, vm: Vm, value: bool) -> bool:
        return value == choose(bool, lambda one: True)

    @law("ISO-1", "What was seen is seen.")
    def seen_or_not(s: Any, vm: Vm) -> Any:
        return s.seen[vm] == s.seen[vm]
