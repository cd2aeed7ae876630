"""What is printed of operations that others interrupt, and what is said where one is not proved."""

import re
from typing import Any

import refmodel
from refmodel.engines.stepping import Stepping
from refmodel.engines.words import trace_text
from refmodel.language import Design, Total, geometry, implies, law, operation, outline, require
from refmodel.machine.names import Count, Vm
from refmodel.report.exploring import offer_text
from tests.designs import split


def test_a_step_that_goes_on_names_the_operation_and_the_step_in_which_it_began() -> None:
    (run,) = refmodel.explore(split.Careless).broken_runs
    going_on = [step for step in run.steps if "goes on" in step]
    assert going_on, run.steps
    for step in going_on:
        found = re.fullmatch(r"step (\d+) goes on: (allocate\(vm=vm\d\))", step)
        assert found is not None and run.steps[int(found[1]) - 1] == found[2], run.steps
    assert all(step in trace_text(run.design, run.told()) for step in going_on)


def test_of_two_that_wait_each_is_told_by_its_own_step() -> None:
    """The first of them ends, and the second is still the one that began in step 2."""
    design = outline(split.Careless)
    stepping = Stepping(design, design.cls.geometry)
    for vm in (0, 1):
        stepping.take(next(o for o in stepping.offers() if o.step.operation == "allocate" and o.step.arguments == (vm,)).step)
    first, second = (offer_text(design, o) for o in stepping.offers() if o.begun is not None)
    assert (first, second) == ("step 1 goes on: allocate(vm=vm0)", "step 2 goes on: allocate(vm=vm1)")
    stepping.take(next(o for o in stepping.offers() if o.begun is not None).step)
    assert [offer_text(design, o) for o in stepping.offers() if o.begun is not None] == [second]


class Retries(Design):
    """A number is read, and what was read is compared after others have run."""

    sequence: Total[Vm, Count]
    mapped: Total[Vm, bool]
    there: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def fault(self, vm: Vm) -> Any:
        seen = self.sequence[vm]
        require(self.there[vm])
        yield
        require(self.sequence[vm] == seen)
        self.mapped[vm] = True

    @operation
    def come(self, vm: Vm) -> None:
        self.there[vm] = True

    @operation
    def go(self, vm: Vm) -> None:
        self.sequence[vm] += 1
        self.mapped[vm] = False
        self.there[vm] = False

    @law("ISO-1", "What is mapped is there.")
    def mapped_is_there(s: "Retries", vm: Vm) -> Any:
        return implies(s.mapped[vm], s.there[vm])


def test_what_is_not_proved_of_an_interrupted_operation_says_of_which_state_it_speaks_and_what_helps() -> None:
    (why,) = refmodel.prove(Retries).engine("prove").unproved
    assert "sequence[vm] after yield 1 is sequence[vm] at first" in why
    assert "Require it again, or state a law about an entry that says how far the operation is." in why


class Noted(Retries):
    """The operation notes that it waits, and what goes away takes the note along."""

    waits: Total[Vm, bool]

    @operation
    def fault(self, vm: Vm) -> Any:
        require(self.there[vm])
        self.waits[vm] = True
        yield
        require(self.waits[vm])
        self.waits[vm] = False
        self.mapped[vm] = True

    @operation
    def go(self, vm: Vm) -> None:
        self.waits[vm] = False
        self.mapped[vm] = False
        self.there[vm] = False

    @law("ISO-1", "What a fault waits for is there.")
    def what_is_waited_for_is_there(s: "Noted", vm: Vm) -> Any:
        return implies(s.waits[vm], s.there[vm])


def test_an_operation_that_notes_how_far_it_is_is_proved() -> None:
    assert refmodel.prove(Noted).status is refmodel.Status.HOLDS
