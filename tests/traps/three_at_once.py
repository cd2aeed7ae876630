"""Three takers pass one check before each of them takes: with two of them under way at once nothing goes wrong.

Expected: shown by prove
"""

from collections.abc import Iterator
from typing import Any

from refmodel.language import *
from refmodel.machine.names import Vm


class ThreeAtOnce(Design):
    has: Total[Vm, bool]
    geometry = geometry(Vm=3)

    @operation
    def take(self, vm: Vm) -> Iterator[None]:
        require(not self.has[vm] and count(self.has, lambda has, of: has) < 1)
        yield
        self.has[vm] = True

    @law("RES-1", "At most two VMs have a frame.")
    def two(s: Any) -> bool:
        return count(s.has, lambda has, vm: has) <= 2
