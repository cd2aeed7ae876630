"""A fault is raised that is derived from the one that a law judges: the law, which it breaks, is not asked of it.

Expected: refused: the law only_set_flags_fault judges a Refused
"""

from typing import Any

from refmodel.language import Design, Fault, Total, geometry, guest, law
from refmodel.machine.names import Vm


class Refused(Fault):
    pass


class RefusedAtOnce(Refused):
    pass


class AFaultDerivedFromAnother(Design):
    flags: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def set_flag(self, vm: Vm) -> None:
        if self.flags[vm]:
            raise Refused
        self.flags[vm] = True

    @guest
    def clear(self, vm: Vm) -> None:
        if not self.flags[vm]:
            raise RefusedAtOnce
        self.flags[vm] = False

    @law("EQV-2", "A step is refused only to a VM whose flag is set.")
    def only_set_flags_fault(s: Any, outcome: Refused, actor: Vm) -> bool:
        return s.flags[actor]
