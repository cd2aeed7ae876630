"""A record contains itself.

Expected: refused: contains itself
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = False


@attrs.frozen
class Cell:
    cell: "Cell"


class ARecordInItself(Design):
    seen: Total[Vm, Cell]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = self.seen[vm]

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> Any:
        return s.seen[vm] == s.seen[vm]
