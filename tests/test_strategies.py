"""Strategies for other people's tests: states that a design gets to, and values of its types."""

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from refmodel.language import outline
from refmodel.machine.cells import Cell
from refmodel.machine.names import Count, Vm
from refmodel.strategies import register, states, values
from tests.designs import small

GEOMETRY = small.Pot.geometry


@pytest.mark.slow
@given(states(small.Pot), values(Vm, GEOMETRY))
@settings(max_examples=5, deadline=None)
def test_states_are_lawful(state: small.Pot, vm: int) -> None:
    (law,) = outline(small.Pot).laws
    assert law.function(state, vm)


def test_the_plainest_state_is_power_on_and_others_are_met() -> None:
    assert not any(cell.full for cell in find(states(small.Pot), lambda state: True).cells.values())
    met = find(states(small.Pot), lambda state: any(cell.full for cell in state.cells.values()))
    assert sum(cell.full for cell in met.cells.values()) == 1


def test_a_state_that_a_test_changes_is_nobody_else_s() -> None:
    power_on = states(small.Pot).filter(lambda state: not state.cells[0].full)
    changed = find(power_on, lambda state: True)
    changed.cells[0] = small.Cell(True, 9)
    assert find(power_on, lambda state: True).cells[0] == small.Cell()


def test_a_law_that_is_broken_is_broken_in_a_state() -> None:
    (law,) = outline(small.Breaks).laws
    broken = find(states(small.Breaks), lambda state: not all(law.function(state, vm) for vm in (0, 1)))
    assert any(cell.full and cell.number != 1 for cell in broken.cells.values())


def test_values_are_those_of_the_geometry() -> None:
    assert find(values(Vm, GEOMETRY), lambda vm: vm != 0) == 1
    assert find(values(bool, GEOMETRY), lambda flag: True) is False
    assert find(values(Count, GEOMETRY), lambda number: number > 1) == 2
    assert find(values(Cell, GEOMETRY), lambda cell: cell.present and cell.writable).present


def test_a_type_hint_gives_a_state_once_the_design_is_registered() -> None:
    register(small.Pot)
    assert isinstance(find(st.from_type(small.Pot), lambda state: True), small.Pot)
