"""A lambda asks for identity.

Expected: refused: 'is' asks for identity
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm

truly = lambda flag: flag is True  # noqa: E731


class IsInALambda(Design):
    seen: Total[Vm, bool]
    armed: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def arm(self, vm: Vm) -> None:
        self.armed[vm] = True

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = truly(self.armed[vm])

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
