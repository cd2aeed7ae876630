"""An operation is given a page, which no engine can draw.

Expected: refused: an operation is given no page
"""

from typing import Any

from refmodel.language import Design, Page, Total, geometry, law, operation
from refmodel.machine.names import Vm


class APageForAParameter(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm, page: Page[Vm, bool]) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]
