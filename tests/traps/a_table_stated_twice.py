"""A class states a table twice, with other keys: Python keeps the second, and what is written by the first means another entry.

Expected: refused: ATableStatedTwice states the type of mapped again, and what line
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Gfn, Vm


class ATableStatedTwice(Design):
    mapped: Total[tuple[Vm, Gfn], bool]
    mapped: Total[Gfn, bool]
    geometry = geometry(Vm=2, Gfn=2)

    @operation
    def map(self, gfn: Gfn) -> None:
        self.mapped[gfn] = True

    @law("RES-1", "A page is mapped or is not.")
    def either(s: Any, gfn: Gfn) -> bool:
        return s.mapped[gfn] in (True, False)
