"""A law states two implications. No run meets the premise of the second, and a proof cannot know that.

Expected: noted by exhaustive: the premise of this implication is met nowhere
"""

from typing import Any

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


class HalfALawThatIsNeverAsked(Design):
    used: Total[Mfn, bool]
    dirty: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.dirty[mfn] = True

    @operation
    def release(self, mfn: Mfn) -> None:
        self.used[mfn] = False
        self.dirty[mfn] = False

    @law("ISO-1", "A used frame is dirty, and no frame that is lent is.")
    def dirt_is_where_it_may_be(s: Any, mfn: Mfn) -> bool:
        return implies(s.used[mfn], s.dirty[mfn]) and implies(s.lent[mfn] and s.used[mfn], not s.used[mfn] or s.dirty[mfn])
