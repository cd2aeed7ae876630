"""A step stands under ``@operation`` and ``@guest``: it was the monitor's, so that laws about a guest's own steps saw nobody act.

Expected: refused: stands under @operation and @guest; expected one of them
"""

from refmodel import Design, Total, geometry, guest, law, operation
from refmodel.machine.names import Vm


class AnOperationOfBothKinds(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    @guest
    def look(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-6", "What a VM has seen changes by its own steps.")
    def by_its_own_steps(s: "AnOperationOfBothKinds", before: "AnOperationOfBothKinds", vm: Vm, actor: Vm) -> bool:
        return s.seen[vm] == before.seen[vm] or actor == vm
