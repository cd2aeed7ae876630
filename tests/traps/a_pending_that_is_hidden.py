"""A class that is derived says anew where something is pending, without @pending: nobody would ask whether it ends.

Expected: refused: hides what is pending, so that nobody would ask whether it ends
"""

from refmodel.language import operation, require
from refmodel.machine.names import Vm
from tests.designs.asks import Asks


class APendingThatIsHidden(Asks):
    @operation
    def serve(self, vm: Vm) -> None:
        require(not self.busy[vm])
        super().serve(vm)

    def waiting(self, vm: Vm) -> bool:  # type: ignore[override]
        return self.asked[vm] and not self.busy[vm]
