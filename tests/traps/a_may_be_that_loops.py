"""What a table may become by itself is asked of a method that is outside the grammar.

Expected: refused: a while loop has no bound that can be seen; use for
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AMayBeThatLoops(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    def seen_may_be(self, vm: Vm, value: bool) -> bool:
        while value:
            value = False
        return value

    @law("ISO-1", "What was seen is seen.")
    def seen_or_not(s: Any, vm: Vm) -> Any:
        return s.seen[vm] == s.seen[vm]
