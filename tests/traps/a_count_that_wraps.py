"""There are more entries than a byte counts.

Expected: found by exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


class ACountThatWraps(Design):
    seen: Total[tuple[Vm, Mfn], bool]
    told: Total[Vm, bool]
    geometry = geometry(Vm=2, Mfn=100)

    @operation
    def tell(self, vm: Vm) -> None:
        require(count(self.seen, lambda seen, v, mfn: not seen) > 150)
        self.told[vm] = True

    @law("ISO-1", "Nothing is told.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.told[vm]
