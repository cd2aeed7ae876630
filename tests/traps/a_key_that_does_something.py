"""The key of an augmented assignment has a side effect. Python evaluates the key once, and the model evaluated it twice.

Expected: found by prove, exhaustive, random
"""

from refmodel import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Count, Vm


class AKeyThatDoesSomething(Design):
    done: Total[Vm, bool]
    n: Total[Vm, Count]
    geometry = geometry(Vm=2)

    def flip(self, vm: Vm) -> Vm:
        self.done[vm] = not self.done[vm]
        return vm

    @operation
    def go(self, vm: Vm) -> None:
        require(self.n[vm] < 2)
        self.n[self.flip(vm)] += 1

    @law("ISO-1", "Nothing is done.")
    def nothing(s: "AKeyThatDoesSomething", vm: Vm) -> bool:
        return not s.done[vm]
