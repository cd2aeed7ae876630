"""A scalar that stands for many is assigned to many entries: it is a value, and not a function.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import NOTHING, Design, Total, assign, geometry, law, operation
from refmodel.machine.names import Mfn, Vm


class AScalarAssignedToMany(Design):
    owner: Total[Vm, Mfn]
    geometry = geometry(Vm=2, Mfn=1)

    @operation
    def give(self, mfn: Mfn) -> None:
        assign(self.owner, lambda owner, vm: owner == NOTHING, mfn)

    @law("ISO-1", "Nothing is owned.")
    def nothing(s: Any, vm: Vm) -> Any:
        return s.owner[vm] == NOTHING
