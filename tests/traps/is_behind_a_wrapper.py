"""A decorator puts another function in the place of the one that can be seen; that asks for identity.

Expected: refused: 'is' asks for identity
"""

import functools
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def other(flag: bool) -> bool:
        return flag is True

    return other


@wrapped
def truly(flag: bool) -> bool:
    return flag


class IsBehindAWrapper(Design):
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
