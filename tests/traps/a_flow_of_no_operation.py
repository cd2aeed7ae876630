"""A flow is said to be meant of an operation whose name is misspelt.

Expected: refused: did you mean look?
"""

from typing import Any

from refmodel.language import Design, Total, guest, law
from refmodel.machine.names import Vm


class AFlowOfNoOperation(Design):
    seen: Total[Vm, bool]
    flows = {"lok": "a look"}

    @guest
    def look(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]
