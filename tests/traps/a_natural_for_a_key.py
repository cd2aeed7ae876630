"""A table is indexed by a number, which has no end: one less than the first is nobody's key, on ints only.

Expected: refused: natural
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Count


class ANaturalForAKey(Design):
    there: Total[Count, bool]
    geometry = geometry(naturals=2)

    @operation
    def mark(self, n: Count) -> None:
        self.there[n - 1] = True

    @law("ISO-1", "Nothing is there.")
    def nothing(s: Any, n: Count) -> bool:
        return not s.there[n]
