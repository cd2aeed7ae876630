"""What an annotation names is imported for static checkers only.

Expected: refused: name at run time, not under TYPE_CHECKING
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refmodel.language import Design, Total, geometry, law, operation

if TYPE_CHECKING:
    from refmodel.machine.names import Vm


class AnImportForCheckersOnly(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def see(self, vm: Vm) -> None:
        self.seen[vm] = True

    @law("ISO-1", "Nothing is seen.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.seen[vm]
