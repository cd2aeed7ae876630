"""A condition of a count takes one from a number that may be zero: what it counts is no number then.

Expected: found by exhaustive, prove
"""

from typing import Any

from refmodel.language import Design, Total, count, geometry, law, operation, require
from refmodel.machine.names import Count, Vm


class ACountThatGoesBelowZero(Design):
    pages: Total[Vm, Count]
    geometry = geometry(Vm=2)

    @operation
    def take(self, vm: Vm) -> None:
        require(count(self.pages, lambda pages, vm: pages - 1 > 1) == 0)
        self.pages[vm] = 1

    @law("RES-1", "No VM has two pages.")
    def few(s: Any, vm: Vm) -> bool:
        return s.pages[vm] < 2
