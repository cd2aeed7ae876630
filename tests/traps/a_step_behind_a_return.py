"""What sets the flag stands behind a return, and never runs, so that the law holds.

Expected: refused: this never runs
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AStepBehindAReturn(Design):
    seen: Total[Vm, bool]
    marked: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def mark(self, vm: Vm) -> None:
        if self.seen[vm]:
            self.marked[vm] = False
            return
        else:
            self.seen[vm] = True
            return
        self.marked[vm] = True

    @law("ISO-1", "Nothing is marked.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.marked[vm]
