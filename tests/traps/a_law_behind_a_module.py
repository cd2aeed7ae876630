"""A law looks at its table by way of a module: it is judged all the same.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm
from tests import trap_helpers


class ALawBehindAModule(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return trap_helpers.unseen(s, vm)
