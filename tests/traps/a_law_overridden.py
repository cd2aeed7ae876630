"""A derived class states a weaker method by the name of a law.

Expected: refused: has the name of a law
"""

from refmodel.language import *
from refmodel.machine.names import Vm


class Flags(Design):
    on: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def switch(self, vm: Vm) -> None:
        self.on[vm] = True

    @law("RES-1", "No flag is on.")
    def none_is_on(s: "Flags", vm: Vm) -> bool:
        return not s.on[vm]


class ALawOverridden(Flags):
    def none_is_on(s: "Flags", vm: Vm) -> bool:
        return True
