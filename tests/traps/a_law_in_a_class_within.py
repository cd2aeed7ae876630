"""A law stands in a class within the design, which no engine would judge.

Expected: refused: hides a law
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ALawInAClassWithin(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]

    class Laws:
        @law("ISO-2", "Nothing is seen.")
        def nothing_is_seen(s: Any, vm: Vm) -> bool:
            return not s.seen[vm]
