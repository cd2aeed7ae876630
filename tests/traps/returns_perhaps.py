"""An operation returns a record on one path and nothing on another.

Expected: refused: on every path
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, guest, law
from refmodel.machine.names import Vm


@attrs.frozen
class Shown:
    right: bool = True


class ReturnsPerhaps(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @guest
    def look(self, vm: Vm) -> Shown | None:
        if self.seen[vm]:
            return None
        return Shown(False)

    @law("EQV-1", "What is shown is right.")
    def shown_right(s: Any, outcome: Shown) -> bool:
        return outcome.right
