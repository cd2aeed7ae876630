"""A law about a design stands in its file, and the design lists no laws: it is judged.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ALawBesideTheClass(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]


@law("ISO-2", "Nothing is seen.")
def nothing_is_seen(s: ALawBesideTheClass, vm: Vm) -> bool:
    return not s.seen[vm]
