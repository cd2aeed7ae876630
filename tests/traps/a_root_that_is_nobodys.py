"""A name that nobody knows at power-on may be NOTHING, under which nothing is stored.

Expected: shown by exhaustive
"""

from typing import Any

from refmodel.language import *
from refmodel.machine.names import Mfn, Vm


class ARootThatIsNobodys(Design):
    root: Total[Vm, Mfn]
    used: Total[Mfn, bool]
    arbitrary = ("root",)
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def use(self, vm: Vm) -> None:
        self.used[self.root[vm]] = True

    @law("RES-1", "A frame that is used is a root.")
    def roots_are_used(s: Any, mfn: Mfn) -> bool:
        return not s.used[mfn] or count(s.root, lambda root, vm: root == mfn) > 0
