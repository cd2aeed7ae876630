"""A class states two operations under one name: the first, which breaks the law, would never be taken.

Expected: refused: AnOperationStatedTwice states unmap again, and what line
"""

from typing import Any

from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Mfn


class AnOperationStatedTwice(Design):
    mapped: Total[Mfn, bool]
    used: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def map(self, mfn: Mfn) -> None:
        self.mapped[mfn] = True
        self.used[mfn] = True

    @operation
    def unmap(self, mfn: Mfn) -> None:
        self.used[mfn] = False

    @operation
    def unmap(self, mfn: Mfn) -> None:
        self.mapped[mfn] = False

    @law("RES-1", "A mapped frame is used.")
    def mapped_frames_are_used(s: Any, mfn: Mfn) -> bool:
        return implies(s.mapped[mfn], s.used[mfn])
