"""A law is claimed for what there is; it is not known of NOTHING, and what is held may be nothing.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


class LawsOfNothing(Design):
    used: Total[Mfn, bool]
    held: Total[Vm, Mfn]
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def look(self, vm: Vm) -> None:
        held = self.held[vm]
        require(count(self.used, lambda used, mfn: mfn == held) == 0)
        self.seen[vm] = True

    @law("ISO-1", "Each frame is there once.")
    def once(s: Any, mfn: Mfn) -> Any:
        return count(s.used, lambda used, m: m == mfn) == 1

    @law("ISO-2", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
