"""Guests' steps of two sorts of guests: on ints the number of a host was taken for that of a VM, and the law held.

Expected: refused: guest's step theirs is one of a Host, and mine
"""

from typing import Annotated, Any

from refmodel.language import Design, Name, Total, geometry, guest, implies, law
from refmodel.machine.names import Vm

Host = Annotated[int, Name("Host")]


class ActorsOfTwoSorts(Design):
    flags: Total[Vm, bool]
    geometry = geometry(Vm=1, Host=1)

    @guest
    def mine(self, vm: Vm) -> None:
        self.flags[vm] = not self.flags[vm]

    @guest
    def theirs(self, vm: Host, other: Vm) -> None:
        self.flags[other] = not self.flags[other]

    @law("ISO-5", "Only steps of a VM change the flag of the VM.")
    def own_steps_only(s: Any, before: Any, actor: Vm, vm: Vm) -> bool:
        return implies(s.flags[vm] != before.flags[vm], actor == vm)
