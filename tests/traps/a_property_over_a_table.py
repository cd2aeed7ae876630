"""A property of the class hides a table of the same name.

Expected: refused: something else besides
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class Base(Design):
    seen: Total[Vm, bool]
    armed: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.armed[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]


class APropertyOverATable(Base):
    @property
    def seen(self) -> Any:
        return self.armed
