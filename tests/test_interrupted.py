"""What is printed of operations that others interrupt, and what is said where one is not proved."""

import re

import refmodel
from refmodel.engines.stepping import Stepping
from refmodel.engines.words import trace_text
from refmodel.language import outline
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
