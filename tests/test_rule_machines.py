"""Hypothesis' state machines of designs, whatever the designs are like."""

import re
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from refmodel.engines.rule_machine import rule_machine
from refmodel.loading import load
from tests.designs import small

FEW = settings(max_examples=20, database=None, deadline=None)
TURNS = """
from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm

class Turns(Design):
    on: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def {name}(self, vm: Vm) -> None:
        self.on[vm] = not self.on[vm]

    @law("ISO-1", "No two are on.")
    def no_two_are_on(s: "Turns", vm: Vm, other: Vm) -> bool:
        return vm == other or not (s.on[vm] and s.on[other])
"""


@pytest.mark.slow
def test_a_design_may_come_to_rest() -> None:
    """Where every cell is full, no operation applies; no law is broken by that."""
    run_state_machine_as_test(rule_machine(small.Pot), settings=settings(FEW, max_examples=8))


@pytest.mark.parametrize("name", ["take", "check", "drawn", "teardown", "spent", "rules", "starts", "laws_hold", "TestCase"])
def test_operations_may_have_any_names(name: str, tmp_path: Path) -> None:
    (tmp_path / "turns.py").write_text(TURNS.format(name=name))
    with pytest.raises(AssertionError, match="No two are on") as found:
        run_state_machine_as_test(rule_machine(load(f"{tmp_path}/turns.py:Turns")), settings=settings(FEW, phases=[Phase.generate]))
    assert re.search(rf"\d\. {name}\(vm=vm", str(found.value))


def test_what_only_a_further_geometry_breaks_is_found(tmp_path: Path) -> None:
    two = "geometry = geometry(Vm=1)\n    further_geometries = (geometry.resized(Vm=2),)"
    there = TURNS.format(name="turn").replace("geometry = geometry(Vm=2)", two)
    (tmp_path / "turns.py").write_text(there)
    design = load(f"{tmp_path}/turns.py:Turns")
    with pytest.raises(AssertionError, match="No two are on") as found:
        run_state_machine_as_test(rule_machine(design), settings=settings(FEW, phases=[Phase.generate]))
    assert "turn(vm=vm1)" in str(found.value)
    run_state_machine_as_test(rule_machine(design, design.cls.geometry), settings=settings(FEW, max_examples=2))
