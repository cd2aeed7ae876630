"""A law compares a table with itself, by way of a method of the design.

Expected: noted by prove: holder_is_owner: it is true for any contents of the tables, by the methods that it calls
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Mfn, Vm


class ALawByItsOwnMethod(Design):
    owner: Total[Mfn, Vm]
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def give(self, vm: Vm, mfn: Mfn) -> None:
        self.owner[mfn] = vm

    def holder(self, mfn: Mfn) -> Vm:
        return self.owner[mfn]

    @law("ISO-1", "Who holds a frame owns it.")
    def holder_is_owner(s: Any, mfn: Mfn) -> bool:
        return s.holder(mfn) == s.owner[mfn]
