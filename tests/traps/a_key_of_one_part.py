"""A key is a tuple of one part: on ints that is another key.

Expected: refused: a key of one part
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AKeyOfOnePart(Design):
    seen: Total[tuple[Vm], bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[(vm,)] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[(vm,)]
