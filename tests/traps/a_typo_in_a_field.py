"""A field is misspelt: a bad design, and no monitor that aborts.

Expected: refused: Entry has no ther; it has there
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = False


class ATypoInAField(Design):
    seen: Total[Vm, Entry]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        if self.seen[vm].ther:
            self.seen[vm] = Entry(True)

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm].there
