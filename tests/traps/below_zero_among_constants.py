"""Two numbers that are written down come to less than none.

Expected: found by prove, exhaustive, random
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Count, Vm

ONE = 1


def lessened(number: Count, by: Count) -> Count:
    return number - by


class BelowZeroAmongConstants(Design):
    pages: Total[Vm, Count]
    geometry = geometry(Vm=1)

    @operation
    def take(self, vm: Vm, all_of_them: bool) -> None:
        left: Count = 0 if all_of_them else 1
        self.pages[vm] = lessened(left, ONE)

    @law("ISO-1", "There is a number of pages.")
    def a_number(s: Any, vm: Vm) -> Any:
        return s.pages[vm] == s.pages[vm]
