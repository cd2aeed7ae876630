"""Once three wait, none is served: what is pending there never ends. A search that remembers one run for each kind of state never
comes to it, since each VM waited before.

Expected: found by random, exhaustive, prove
"""

from refmodel.language import Design, Total, count, geometry, implies, law, operation, pending, require
from refmodel.machine.names import Vm


class ADeadlockOfThree(Design):
    waits: Total[Vm, bool]
    served: Total[Vm, bool]
    geometry = geometry(Vm=3)

    @operation
    def ask(self, vm: Vm) -> None:
        self.waits[vm] = True

    @operation
    def serve(self, vm: Vm) -> None:
        require(self.waits[vm] and count(self.waits, lambda waits, vm: waits) <= 2)
        self.waits[vm] = False
        self.served[vm] = True

    @law("EQV-1", "A VM that is served had asked.")
    def served_vms_had_asked(s: "ADeadlockOfThree", before: "ADeadlockOfThree", vm: Vm) -> bool:
        return implies(s.served[vm] and not before.served[vm], before.waits[vm])

    @pending("EFF-4", "A VM that waits is served.", until="serve")
    def waiting(self, vm: Vm) -> bool:
        return self.waits[vm]
