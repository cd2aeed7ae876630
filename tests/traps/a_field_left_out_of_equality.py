"""A field is no part of what makes records equal on ints.

Expected: refused: out of ==
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
    there: bool = attrs.field(default=False, eq=False)


class AFieldLeftOutOfEquality(Design):
    seen: Total[Vm, Cell]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = Cell(self.seen[vm] == Cell(True))

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm].there
