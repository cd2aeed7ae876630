"""State is kept in the default value of a parameter.

Expected: refused: state is in tables only
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


def times(memory: list[int] = []) -> int:  # noqa: B006
    memory.append(1)
    return len(memory)


class AMutableDefault(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = times() > 2

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
