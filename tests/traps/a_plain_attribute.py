"""The design keeps a flag on the instance, which no engine knows of.

Expected: refused: state is in tables only
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class APlainAttribute(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)
    armed = False

    @operation
    def arm(self, vm: Vm) -> None:
        self.armed = True  # type: ignore[misc]

    @operation
    def see(self, vm: Vm) -> None:
        if self.armed:
            self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
