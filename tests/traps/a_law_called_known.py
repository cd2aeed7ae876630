"""A law has the name of an attribute by which a design says something else.

Expected: refused: is a law; expected another name
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ALawCalledKnown(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is known.")
    def known(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]
