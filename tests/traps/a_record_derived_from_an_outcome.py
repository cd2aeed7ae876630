"""An operation returns a record that is derived from the one that a law judges: the law, which it breaks, is not asked of it.

Expected: refused: operation look_closely returns More, which is derived from Shown: law EQV-1 (flags_are_shown)
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, guest, law
from refmodel.machine.names import Vm


@attrs.frozen
class Shown:
    flag: bool = False


@attrs.frozen
class More(Shown):
    closely: bool = False


class ARecordDerivedFromAnOutcome(Design):
    flags: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def set_flag(self, vm: Vm) -> None:
        self.flags[vm] = True

    @guest
    def look(self, vm: Vm) -> Shown:
        return Shown(self.flags[vm])

    @guest
    def look_closely(self, vm: Vm) -> More:
        return More(not self.flags[vm], True)

    @law("EQV-1", "A VM is shown its flag.")
    def flags_are_shown(s: Any, outcome: Shown, actor: Vm) -> bool:
        return outcome.flag == s.flags[actor]
