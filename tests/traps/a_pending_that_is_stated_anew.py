"""A class that is derived says anew where something is pending, and leaves out where it never ends any more.

Expected: refused: states anew what is pending, so that nobody would ask whether what Asks says of it still ends
"""

from refmodel.language import operation, pending, require
from refmodel.machine.names import Vm
from tests.designs.asks import Asks


class APendingThatIsStatedAnew(Asks):
    @operation
    def serve(self, vm: Vm) -> None:
        require(not self.busy[vm])
        super().serve(vm)

    @pending("EFF-4", "Who has asked is served.", until="serve")
    def waiting(self, vm: Vm) -> bool:
        return self.asked[vm] and not self.busy[vm]
