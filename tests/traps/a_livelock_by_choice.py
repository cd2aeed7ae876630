"""A processor that acknowledges may ask another one, so that two of them can go on for ever: only certain choices show it.

Expected: found by exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Total, choose, geometry, implies, law, operation, pending, require
from refmodel.machine.names import Cpu


class ALivelockByChoice(Design):
    asked: Total[Cpu, bool]
    ever: Total[Cpu, bool]
    geometry = geometry(Cpu=2)

    @operation
    def ask(self, cpu: Cpu) -> None:
        self.asked[cpu] = True
        self.ever[cpu] = True

    @operation
    def acknowledge(self, cpu: Cpu) -> None:
        require(self.asked[cpu])
        self.asked[cpu] = False
        other = choose(Cpu, lambda c: True)
        if other != cpu:
            self.asked[other] = True
            self.ever[other] = True

    @law("ISO-2", "A processor that is asked was asked before.")
    def asked_before(s: Any, cpu: Cpu) -> Any:
        return implies(s.asked[cpu], s.ever[cpu])

    @pending("EFF-4", "A processor acknowledges.", until="acknowledge")
    def unacknowledged(self: Any, cpu: Cpu) -> Any:
        return self.asked[cpu]
