"""Nothing has an owner, so what stands after ``or`` is never asked for.

Expected: noted by exhaustive: a case in which the first of these alternatives does not hold is met nowhere
"""

from typing import Any

from refmodel.language import NOTHING, Design, Total, geometry, law, operation
from refmodel.machine.names import Mfn, Vm


class AFirstAlternativeThatAlwaysHolds(Design):
    owner: Total[Mfn, Vm]
    used: Total[Mfn, bool]
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True

    @operation
    def release(self, mfn: Mfn) -> None:
        self.owner[mfn] = NOTHING

    @law("ISO-1", "A frame that somebody owns is used.")
    def what_is_owned_is_used(s: Any, mfn: Mfn) -> bool:
        return s.owner[mfn] == NOTHING or s.used[mfn]
