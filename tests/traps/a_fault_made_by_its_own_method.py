"""A fault has a ``__new__``, which may keep what was raised before.

Expected: refused: the fault Denied has a __new__ of its own
"""

from typing import Any

from refmodel import Design, Fault, Total, geometry, guest, law
from refmodel.machine.names import Vm


class Denied(Fault):
    def __new__(cls, *given: Any) -> Any:
        return Fault.__new__(cls, *given)


class AFaultMadeByItsOwnMethod(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def look(self, vm: Vm) -> None:
        self.seen[vm] = True
        raise Denied("there is none")

    @law("ISO-1", "None has looked.")
    def none_has_looked(s: "AFaultMadeByItsOwnMethod", vm: Vm) -> bool:
        return not s.seen[vm]
