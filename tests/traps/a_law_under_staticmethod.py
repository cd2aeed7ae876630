"""A law is wrapped in a staticmethod, which no engine would judge.

Expected: refused: hides a law
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ALawUnderStaticmethod(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]

    @staticmethod
    @law("ISO-2", "Nothing is seen.")
    def nothing_is_seen(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
