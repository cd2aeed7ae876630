"""A law states two implications. Nothing can break the second, whatever a design does: its conclusion follows from its premise.

Expected: noted by prove: nothing can break this implication where what stands before it holds
"""

from typing import Any

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


class HalfALawThatCannotFail(Design):
    used: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    dirty: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.dirty[mfn] = True

    @operation
    def lend(self, mfn: Mfn) -> None:
        self.lent[mfn] = True

    @law("ISO-1", "A used frame is dirty, and so is one that is lent.")
    def dirt_is_where_it_should_be(s: Any, mfn: Mfn) -> bool:
        return implies(s.used[mfn], s.dirty[mfn]) and implies(s.used[mfn] and s.lent[mfn], s.dirty[mfn])
