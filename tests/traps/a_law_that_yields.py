"""A law yields, so that Python makes an object of it, which counts as true whatever the law says.

Expected: refused: only an operation may yield
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ALawThatYields(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> Any:
        return not s.seen[vm]
        yield
