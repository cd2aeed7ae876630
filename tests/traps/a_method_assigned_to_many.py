"""``assign`` is given a method. Runs on ints once stored the method itself, and took it for a flag that is true.

Expected: found by prove, exhaustive, random
"""

from refmodel import Design, Total, assign, geometry, implies, law, operation
from refmodel.machine.names import Vm


class AMethodAssignedToMany(Design):
    on: Total[Vm, bool]
    done: Total[tuple[()], bool]
    geometry = geometry(Vm=2)

    def none(self, on: bool, vm: Vm) -> bool:
        return False

    @operation
    def go(self) -> None:
        assign(self.on, lambda on, vm: True, self.none)
        self.done[()] = True

    @law("ISO-1", "Once it is done, all are on.")
    def all_are_on(s: "AMethodAssignedToMany", vm: Vm) -> bool:
        return implies(s.done[()], s.on[vm])
