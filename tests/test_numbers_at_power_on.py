"""A bounded search begins with the numbers that the geometry has, as runs on ints do."""

from typing import Annotated, Any

import attrs

from refmodel.engines.bounded import search
from refmodel.language import Bits, Design, Natural, Page, Total, geometry, law, operation, outline
from refmodel.machine.names import Index, Vm

Count = Annotated[int, Natural()]
Byte = Annotated[int, Bits(8)]


@attrs.frozen
class Quota:
    most: Count = 0


@attrs.frozen
class Cell:
    value: Byte = 0


class Quotas(Design):
    """Nobody knows the quotas at power-on; one may be given away."""

    quota: Total[Vm, Quota]
    alone: Total[Vm, Count]
    code: Total[Vm, Byte]
    page: Total[Vm, Page[Index, Cell]]
    geometry = geometry(Vm=2, Index=1, naturals=1, words=4)
    arbitrary = ("quota", "alone", "code", "page")

    @operation
    def give(self, vm: Vm, other: Vm) -> None:
        self.quota[other] = self.quota[vm]

    @law("RES-1", "Numbers are small.")
    def small(s: Any, vm: Vm, index: Index) -> bool:
        return s.quota[vm].most <= 1 and s.alone[vm] <= 1 and s.code[vm] <= 3 and s.page[vm][index].value <= 3


def test_a_bounded_search_begins_with_numbers_of_the_geometry() -> None:
    found = search(outline(Quotas), 2)
    assert found.failure is None
    assert found.depth == 2
