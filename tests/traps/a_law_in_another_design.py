"""A law about a design stands in the body of another, of which the design is not made: no engine would judge it.

Expected: refused: is about ALawInAnotherDesign and would never be judged of it: it stands in Other
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ALawInAnotherDesign(Design):
    seen: Total[Vm, bool]
    shown: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is shown is seen.")
    def shown_is_seen(s: Any, vm: Vm) -> bool:
        return not s.shown[vm] or s.seen[vm]


class Other(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def forget(self, vm: Vm) -> None:
        self.seen[vm] = False

    @law("ISO-2", "Nothing is seen.")
    def nothing_is_seen(s: ALawInAnotherDesign, vm: Vm) -> bool:
        return not s.seen[vm]
