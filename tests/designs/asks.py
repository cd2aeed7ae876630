"""Work that is asked for and served, for variants that say anew where it is pending."""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, pending, require
from refmodel.machine.names import Vm


class Asks(Design):
    asked: Total[Vm, bool]
    busy: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def ask(self, vm: Vm) -> None:
        self.asked[vm] = True

    @operation
    def work(self, vm: Vm) -> None:
        self.busy[vm] = True

    @operation
    def serve(self, vm: Vm) -> None:
        require(self.asked[vm])
        self.asked[vm] = False

    @pending("EFF-4", "Who has asked is served.", until="serve")
    def waiting(self, vm: Vm) -> bool:
        return self.asked[vm]

    @law("ISO-1", "Asking is asking.")
    def asking(s: Any, vm: Vm) -> bool:
        return s.asked[vm] == s.asked[vm]
