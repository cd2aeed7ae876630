"""A table has a key and no value.

Expected: refused: expected a key and a value
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ATableWithoutAValue(Design):
    seen: Total[Vm, bool]
    other: Total[Vm]  # type: ignore[type-arg]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]
