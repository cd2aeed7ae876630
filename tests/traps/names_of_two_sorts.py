"""A VM stands where a frame is expected.

Expected: refused: stands where
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


def frame_of(mfn: Mfn) -> Mfn:
    return mfn


class NamesOfTwoSorts(Design):
    seen: Total[Vm, bool]
    owner: Total[Vm, Vm]
    geometry = geometry(Vm=2)

    @operation
    def see(self, vm: Vm, other: Vm) -> None:
        require(self.owner[frame_of(vm)] == vm)
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
