"""A class states two laws under one name: Python keeps the second, and the first, which is broken, would never be judged.

Expected: refused: ALawStatedTwice states tables_are_right again, and what line
"""

from typing import Any

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


class ALawStatedTwice(Design):
    mapped: Total[Mfn, bool]
    clean: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def map(self, mfn: Mfn) -> None:
        self.mapped[mfn] = True

    @law("ISO-1", "A mapped frame is clean.")
    def tables_are_right(s: Any, mfn: Mfn) -> bool:
        return implies(s.mapped[mfn], s.clean[mfn])

    @law("RES-1", "A clean frame is not mapped.")
    def tables_are_right(s: Any, mfn: Mfn) -> bool:
        return implies(s.clean[mfn], not s.mapped[mfn])
