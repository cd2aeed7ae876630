"""What a helper returned once is remembered, whatever the state.

Expected: refused: a design's code may only use functions with readable source
"""

import functools
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@functools.cache
def truly(s: Any, vm: int) -> bool:
    return bool(s.armed[vm])


class ACachedHelper(Design):
    seen: Total[Vm, bool]
    armed: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def arm(self, vm: Vm) -> None:
        self.armed[vm] = True

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = truly(self, vm)

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
