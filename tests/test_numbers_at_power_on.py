"""A bounded search begins with any numbers, as a step of its takes any: nobody knows what is there at power-on."""

from typing import Annotated, Any

import attrs
import pytest

from refmodel.engines.asked import Asked
from refmodel.engines.bounded import search
from refmodel.engines.checking import check
from refmodel.engines.machine import Machine, recorded
from refmodel.language import Bits, Design, Natural, Page, Total, geometry, implies, law, operation, outline, require
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


def test_a_bounded_search_begins_with_any_numbers() -> None:
    found = search(outline(Quotas), 2)
    assert found.failure is not None and found.depth == 0
    machine = Machine(outline(Quotas), found.geometry)
    machine.power_on(recorded(found.failure.run.initial))
    assert machine.broken(None, (), None) == found.failure.broken


class Told(Design):
    """Nobody knows the numbers at power-on, and a step tells a large one."""

    number: Total[Vm, Count]
    is_large: Total[Vm, bool]
    geometry = geometry(Vm=2)
    arbitrary = ("number",)

    @operation
    def tell(self, vm: Vm) -> None:
        self.is_large[vm] = self.number[vm] > 20

    @law("RES-1", "No number is large.")
    def none_is_large(s: Any, vm: Vm) -> bool:
        return not s.is_large[vm]


class Dropped(Design):
    """Only a byte that no small run is given goes."""

    held: dict[Vm, Byte]
    geometry = geometry(Vm=2)

    @operation
    def put(self, vm: Vm, byte: Byte) -> None:
        require(vm not in self.held)
        self.held[vm] = byte

    @operation
    def drop(self, vm: Vm) -> None:
        require(vm in self.held and self.held[vm] > 200)
        del self.held[vm]

    @law("RES-1", "What is held stays.")
    def it_stays(s: Any, before: Any, vm: Vm) -> bool:
        return implies(vm in before.held, vm in s.held)


@pytest.mark.parametrize(("design", "steps"), [(Told, 1), (Dropped, 2)])
@pytest.mark.parametrize("engine", ["bounded", "prove"])
def test_a_run_with_a_large_number_is_found(design: type[Design], steps: int, engine: str) -> None:
    [report] = check(outline(design), [engine])
    assert report.failure is not None and len(report.failure.run.steps) == steps


class ManyPages(Design):
    """Nobody knows what pages hold at power-on, which is more than can be visited."""

    page: Total[Vm, Page[Index, Cell]]
    lost: Total[Vm, bool]
    geometry = geometry(Vm=3, Index=2, words=64)
    arbitrary = ("page",)

    @operation
    def lose(self, vm: Vm) -> None:
        self.lost[vm] = True

    @law("RES-1", "Nothing is lost while the first cell holds nothing.")
    def kept(s: Any, vm: Vm, index: Index) -> bool:
        return implies(s.page[vm][index].value == 0, s.lost[vm] == s.lost[vm])


def test_an_exploration_that_does_not_get_past_power_on_says_why() -> None:
    [report] = check(outline(ManyPages), ("exhaustive",), Asked(explore_seconds=0.5))
    assert report.notes == (
        "page: 10^10 contents at power-on are too many to explore; expected smaller numbers of names, or fewer values, such as "
        "only={Cell: (Cell(),)} in geometry(...)",
    )
