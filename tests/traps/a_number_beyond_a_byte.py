"""A number is stored that exploration does not keep: it says so, and does not take it for another.

Expected: left undecided by exhaustive: above 100
"""

from typing import Any

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Count, Vm


class ANumberBeyondAByte(Design):
    pages: Total[Vm, Count]
    geometry = geometry(Vm=1)

    @operation
    def fill(self, vm: Vm) -> None:
        self.pages[vm] = 256

    @law("ISO-1", "There are no pages, or many.")
    def none_or_many(s: Any, vm: Vm) -> Any:
        return s.pages[vm] == 0 or s.pages[vm] > 255
