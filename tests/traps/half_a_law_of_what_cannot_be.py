"""A law states two implications. The laws themselves exclude the premise of the second.

Expected: noted by prove: the premise of this implication can hold nowhere
"""

from typing import Any

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


class HalfALawOfWhatCannotBe(Design):
    used: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    dirty: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.dirty[mfn] = True

    @law("ISO-1", "No frame is lent.")
    def none_is_lent(s: Any, mfn: Mfn) -> bool:
        return not s.lent[mfn]

    @law("ISO-1", "A used frame is dirty, and so is one that is lent.")
    def dirt_is_where_it_may_be(s: Any, mfn: Mfn) -> bool:
        return implies(s.used[mfn], s.dirty[mfn]) and implies(s.lent[mfn], s.dirty[mfn])
