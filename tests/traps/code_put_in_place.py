"""A helper's code is not that of its text.

Expected: refused: no source that can be read
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


def truly(flag: bool) -> bool:
    return flag


truly.__code__ = (lambda flag: flag is True).__code__.replace(co_firstlineno=1)


class CodePutInPlace(Design):
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
