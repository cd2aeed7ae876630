"""A record is changed in place, behind the tables.

Expected: refused: can be changed
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = False


@attrs.define
class Cell:
    there: bool = False


class ARecordThatCanChange(Design):
    seen: Total[Vm, Cell]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = Cell()

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm].there
