"""A method of refmodel's is replaced when the file is loaded: no law would be broken by a step.

Expected: refused: replaces refmodel.engines.machine.Machine.breaks
"""

from typing import Any

from refmodel.engines.machine import Machine
from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AMethodReplaced(Design):
    seen: Total[Vm, bool]
    shown: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is shown is seen.")
    def shown_is_seen(s: Any, vm: Vm) -> bool:
        return not s.shown[vm] or s.seen[vm]


Machine.breaks = lambda *_: None  # type: ignore[method-assign]
