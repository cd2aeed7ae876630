"""A helper is misspelt.

Expected: refused: has no lok
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = False


class ATypoInAHelper(Design):
    seen: Total[Vm, Entry]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.lok(vm)

    def look(self, vm: Vm) -> None:
        self.seen[vm] = Entry(True)

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm].there
