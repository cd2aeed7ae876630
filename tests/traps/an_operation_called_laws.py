"""An operation has the name of an attribute by which a design says something else.

Expected: refused: laws, a function; expected a tuple of laws
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AnOperationCalledLaws(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def laws(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]
