"""An operation ends where something that it requires after a yield does not hold, and keeps what it took before: too few states
were explored, since it went on waiting in compiled code.

Expected: found by prove, exhaustive, random
"""

from collections.abc import Iterator
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Gfn


class ALockKeptByWhoGaveUp(Design):
    locked: Total[Gfn, bool]
    zapped: Total[tuple[()], bool]
    geometry = geometry(Gfn=3)

    @operation
    def fault(self, gfn: Gfn) -> Iterator[None]:
        require(not self.locked[gfn] and not self.zapped[()])
        self.locked[gfn] = True
        yield
        require(not self.zapped[()])
        self.locked[gfn] = False

    @operation
    def zap(self) -> None:
        self.zapped[()] = True

    @operation
    def zap_ends(self) -> None:
        self.zapped[()] = False

    @law("RES-1", "Some page is not locked.")
    def some_page_is_free(s: Any, gfn: Gfn, other: Gfn, third: Gfn) -> bool:
        apart = gfn != other and gfn != third and other != third
        return not (apart and s.locked[gfn] and s.locked[other] and s.locked[third])
