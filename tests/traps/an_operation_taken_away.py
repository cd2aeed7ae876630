"""A decorator takes an operation out of its class, which the text still states.

Expected: refused: AnOperationTakenAway states steal, and something has removed it
"""

from refmodel import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Vm


def without_steal(cls: type) -> type:
    del cls.steal  # type: ignore[attr-defined]
    return cls


@without_steal
class AnOperationTakenAway(Design):
    done: Total[Vm, bool]
    seen: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def steal(self, vm: Vm) -> None:
        self.done[vm] = True

    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = not self.seen[vm]

    @law("ISO-1", "What is seen is not done.")
    def nothing(s: "AnOperationTakenAway", vm: Vm) -> bool:
        return implies(s.seen[vm], not s.done[vm])
