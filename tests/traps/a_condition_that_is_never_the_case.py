"""What the laws ask for hangs on ``lent``, which no operation sets. None of them says so by ``implies``.

Expected: vacuous under random, exhaustive, prove
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Mfn


def owned_if_lent(s: Any, mfn: Mfn) -> bool:
    if not s.lent[mfn]:
        return True
    return s.used[mfn]


class AConditionThatIsNeverTheCase(Design):
    used: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def use(self, mfn: Mfn) -> None:
        self.used[mfn] = True

    @operation
    def release(self, mfn: Mfn) -> None:
        self.used[mfn] = False
        self.lent[mfn] = False

    @law("ISO-1", "A frame that is lent is used.")
    def what_is_lent_is_used(s: Any, mfn: Mfn) -> bool:
        return owned_if_lent(s, mfn)
