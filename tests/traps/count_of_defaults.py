"""What is counted holds of the default entry too, and the entry that is looked at may be nobody's: then it does not count.

Expected: found by prove, exhaustive, random
"""

from typing import Any

import attrs

from refmodel.language import NOTHING, Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Mfn, Vm


@attrs.frozen
class Owner:
    used: bool = False


class CountOfDefaults(Design):
    owners: Total[Mfn, Owner]
    held: Total[Vm, Mfn]
    busy: Total[Vm, bool]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def use(self, vm: Vm, mfn: Mfn) -> None:
        self.owners[mfn] = Owner(True)

    @operation
    def none_free(self, vm: Vm) -> None:
        require(not self.owners[self.held[vm]].used)
        require(count(self.owners, lambda owner, mfn: not owner.used) == 0)
        self.busy[vm] = True

    @law("RES-1", "A VM is never busy.")
    def never_busy(s: Any, vm: Vm) -> bool:
        return not s.busy[vm]

    @law("RES-1", "Nothing is held.")
    def nothing_held(s: Any, vm: Vm) -> Any:
        return s.held[vm] == NOTHING
