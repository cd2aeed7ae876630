"""An operation returns a record and does not say so: laws about outcomes would pass it by in proofs.

Expected: refused: state it
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, guest, law
from refmodel.machine.names import Vm


@attrs.frozen
class Shown:
    right: bool = True


class NoReturnAnnotation(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @guest
    def look(self, vm: Vm):  # type: ignore[no-untyped-def]
        return Shown(False)

    @law("EQV-1", "What is shown is right.")
    def shown_right(s: Any, outcome: Shown) -> bool:
        return outcome.right
