"""Something goes wrong, and then the operation turns out not to apply: it has gone wrong all the same.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


class RefusedAfterAnAbort(Design):
    owner: Total[Vm, Mfn]
    seen: Total[Mfn, bool]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[self.owner[vm]] = True  # NOTHING is stored to
        require(False)

    @operation
    def own(self, vm: Vm, mfn: Mfn) -> None:
        self.owner[vm] = mfn

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, mfn: Mfn) -> bool:
        return not s.seen[mfn]
