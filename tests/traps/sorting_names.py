"""Names are put in order by a builtin.

Expected: refused: sorted() is no word of the language
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Vm


class SortingNames(Design):
    seen: Total[Vm, bool]
    owner: Total[Vm, Vm]
    geometry = geometry(Vm=2)

    @operation
    def see(self, vm: Vm, other: Vm) -> None:
        require(sorted((vm, other)) == (vm, other))
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
