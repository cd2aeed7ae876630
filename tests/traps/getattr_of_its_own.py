"""A design answers for attributes that it has not.

Expected: refused: changes how Python treats a design
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class GetattrOfItsOwn(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    def __getattr__(self, name: str) -> Any:
        return True

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = self.armed

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
