"""A property of a record asks for identity.

Expected: refused: 'is' asks for identity
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


@attrs.frozen
class Asked:
    flag: bool = False

    @property
    def truly(self) -> bool:
        return self.flag is True


class IsInAProperty(Design):
    seen: Total[Vm, bool]
    armed: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def arm(self, vm: Vm) -> None:
        self.armed[vm] = True

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = Asked(self.armed[vm]).truly

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
