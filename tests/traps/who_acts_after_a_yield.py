"""A guest's step goes on after a yield: it is still the guest's.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import NOTHING, Design, Total, geometry, guest, law, require
from refmodel.machine.names import Vm


class WhoActsAfterAYield(Design):
    done: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @guest
    def act(self, vm: Vm) -> Any:
        require(not self.done[vm])
        yield
        self.done[vm] = True

    @law("ISO-1", "No guest does anything: what is done is done by the monitor.")
    def the_monitor_does_it(s: Any, before: Any, actor: Vm, vm: Vm) -> Any:
        return s.done[vm] == before.done[vm] or actor == NOTHING
