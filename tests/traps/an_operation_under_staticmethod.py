"""The only operation that breaks the law is wrapped in a staticmethod, which no engine would take.

Expected: refused: hides an operation
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AnOperationUnderStaticmethod(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = False

    @staticmethod
    @operation
    def look(state: Any, vm: Vm) -> None:
        state.seen[vm] = True

    @law("ISO-2", "Nothing is seen.")
    def nothing_is_seen(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
