"""An operation is made of another method, and has no text of its own.

Expected: refused: set_to, a partialmethod, stands under @operation
"""

from functools import partialmethod
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AnOperationThatIsAPartialMethod(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    def set_to(self, vm: Vm, value: bool) -> None:
        self.seen[vm] = value

    see = operation(partialmethod(set_to, value=True))

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
