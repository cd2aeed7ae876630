"""A table that VMs know is misspelt: nobody would be compared by what it holds.

Expected: refused: did you mean seen?
"""

from typing import Any

from refmodel.language import Design, Total, guest, law
from refmodel.machine.names import Vm


class AKnownTableThatThereIsNot(Design):
    seen: Total[Vm, bool]
    known = ("sen",)

    @guest
    def look(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]
