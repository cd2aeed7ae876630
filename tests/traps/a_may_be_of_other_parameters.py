"""What a table may become by itself is asked of a method that takes the key and the value by keyword.

Expected: refused: seen_may_be: expected a method with a typed parameter for each key of seen and one for the value (Vm, flag)
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AMayBeOfOtherParameters(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    def seen_may_be(self, *, vm: Vm, value: bool) -> bool:
        return value

    @law("ISO-1", "What was seen is seen.")
    def seen_or_not(s: Any, vm: Vm) -> Any:
        return s.seen[vm] == s.seen[vm]
