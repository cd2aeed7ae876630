"""A split operation goes on in another generator, and loses its place there.

Expected: refused: yield from
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class YieldFrom(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> Any:
        yield from self.slowly(vm)
        self.seen[vm] = True

    def slowly(self, vm: Vm) -> Any:
        yield
        yield

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
