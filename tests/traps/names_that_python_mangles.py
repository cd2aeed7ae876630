"""Python takes another name for a helper within a class than elsewhere.

Expected: refused: Python takes another name
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


def __calm(flag: bool) -> bool:
    return False


def _NamesThatPythonMangles__calm(flag: bool) -> bool:
    return True


class NamesThatPythonMangles(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = __calm(self.seen[vm])  # type: ignore[name-defined]

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
