"""A function of Python's is replaced when the file is loaded, by which refmodel itself decides which status to end with.

Expected: refused: replaces builtins.max
"""

import builtins
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ABuiltinReplaced(Design):
    seen: Total[Vm, bool]
    shown: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is shown is seen.")
    def shown_is_seen(s: Any, vm: Vm) -> bool:
        return not s.shown[vm] or s.seen[vm]


builtins.max = min
