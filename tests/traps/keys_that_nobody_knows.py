"""A dict whose keys nobody knows at power-on: exploration gave it every key.

Expected: refused: is a dict
"""

from typing import Any

from refmodel.language import *
from refmodel.machine.names import Mfn, Vm


class KeysThatNobodyKnows(Design):
    root: dict[Vm, Mfn]
    used: Total[Mfn, bool]
    arbitrary = ("root",)
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def use(self, vm: Vm) -> None:
        self.used[self.root[vm]] = True

    @law("RES-1", "A frame that is used is a root.")
    def roots_are_used(s: Any, mfn: Mfn) -> bool:
        return not s.used[mfn] or count(s.root, lambda root, vm: root == mfn) > 0
