"""The geometry is a dictionary.

Expected: refused: expected geometry(Vm=2, Gfn=2)
"""

from typing import Any

from refmodel.language import Design, Total, law, operation
from refmodel.machine.names import Vm


class AGeometryThatIsNone(Design):
    seen: Total[Vm, bool]
    geometry = {"Vm": 1}

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]
