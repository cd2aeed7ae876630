"""Records are compared in a way of their own on ints.

Expected: refused: has a __eq__ of its own
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Entry:
    there: bool = False


@attrs.frozen(eq=False)
class Cell:
    there: bool = False

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


class ARecordWithItsOwnEquality(Design):
    seen: Total[Vm, Cell]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        if self.seen[vm] == Cell(True):
            self.seen[vm] = Cell(True)

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm].there
