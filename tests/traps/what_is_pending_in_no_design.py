"""What is pending is stated in a class that no design is made of: it was left out without a word.

Expected: refused: would never be judged: it stands in Waiting
"""

from typing import Any

from refmodel import Design, Total, geometry, law, operation, pending
from refmodel.machine.names import Vm


class Waiting:
    @pending("EFF-4", "What waits goes on.", until="go_on")
    def is_waiting(self: Any, vm: Vm) -> bool:
        return bool(self.waits[vm])


class WhatIsPendingInNoDesign(Design):
    waits: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def begin(self, vm: Vm) -> None:
        self.waits[vm] = True

    @law("ISO-1", "Nobody waits for nobody.")
    def nobody_waits(s: "WhatIsPendingInNoDesign", vm: Vm) -> bool:
        return s.waits[vm] or not s.waits[vm]
