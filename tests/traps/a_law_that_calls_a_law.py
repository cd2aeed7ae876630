"""A law calls another by its name.

Expected: refused: nothing calls a law
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class ALawThatCallsALaw(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "What is seen is seen.")
    def seen_is_seen(s: Any, vm: Vm) -> bool:
        return s.seen[vm] or not s.seen[vm]

    @law("ISO-2", "The other law.")
    def the_other(s: Any, vm: Vm) -> bool:
        return bool(s.seen_is_seen(vm))
