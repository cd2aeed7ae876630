"""A law looks at a table that no operation writes to: no operation can break it.

Expected: noted by prove: none_is_lent: no operation writes to what it looks at
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Mfn


class ALawOfWhatNobodyWrites(Design):
    used: Total[Mfn, bool]
    lent: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def lend(self, mfn: Mfn) -> None:
        self.used[mfn] = True

    @law("ISO-1", "No frame is lent.")
    def none_is_lent(s: Any, mfn: Mfn) -> bool:
        return not s.lent[mfn]
