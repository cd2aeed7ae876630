"""Two laws have one name: a proof of one would be taken for a proof of the other.

Expected: refused: 2 laws are called nothing
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


def stated(clause: str, there: bool) -> Any:
    @law(clause, "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return s.seen[vm] == there

    return nothing


class TwoLawsOfOneName(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)
    laws = (stated("ISO-1", False), stated("ISO-2", False))

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True
