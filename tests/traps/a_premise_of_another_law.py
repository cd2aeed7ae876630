"""A helper states a condition that is met. One law returns its answer; the other works out a premise by it that is never met.

Expected: vacuous in part under random, exhaustive, prove: lent_is_used
"""

from typing import Any

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


def right(s: Any, mfn: Mfn) -> bool:
    return not s.used[mfn] or s.dirty[mfn]


class APremiseOfAnotherLaw(Design):
    used: Total[Mfn, bool]
    dirty: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.dirty[mfn] = True

    @law("ISO-1", "A used frame is dirty.")
    def used_is_dirty(s: Any, mfn: Mfn) -> bool:
        return right(s, mfn)

    @law("ISO-2", "A frame that is right, and lent, is used.")
    def lent_is_used(s: Any, mfn: Mfn) -> bool:
        return implies(right(s, mfn) and s.lent[mfn], s.used[mfn])
