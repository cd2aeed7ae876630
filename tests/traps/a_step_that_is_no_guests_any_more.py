"""A variant overrides a guest's step by an operation: nobody acts there any more, and the law that it breaks is not asked.

Expected: refused: operation set_flag overrides the one of Base
"""

from typing import Any

from refmodel.language import NOTHING, Design, Total, geometry, guest, implies, law, operation, require
from refmodel.machine.names import Vm


class Base(Design):
    flags: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def clear(self, vm: Vm) -> None:
        self.flags[vm] = False

    @guest
    def set_flag(self, vm: Vm, whose: Vm) -> None:
        require(whose == vm)
        self.flags[whose] = True

    @law("ISO-5", "A guest changes no flag but its own.")
    def own_flags_only(s: Any, before: Any, actor: Vm, vm: Vm) -> bool:
        return implies(actor != NOTHING and s.flags[vm] != before.flags[vm], actor == vm)


class AStepThatIsNoGuestsAnyMore(Base):
    @operation
    def set_flag(self, vm: Vm, whose: Vm) -> None:
        self.flags[whose] = True
