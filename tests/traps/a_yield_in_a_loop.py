"""A split operation waits in a loop: how far the loop is belongs to the state.

Expected: refused: a yield stands in no loop
"""

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class AYieldInALoop(Design):
    bad: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def go(self, vm: Vm):
        for again in (True, True):
            yield
        self.bad[vm] = True

    @law("ISO-1", "Never.")
    def nothing(s, vm: Vm) -> bool:
        return not s.bad[vm]
