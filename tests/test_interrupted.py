"""What is printed of operations that others interrupt, and what is said where one is not proved."""

import re
from typing import Any

import refmodel
from refmodel.engines.prover import prove_operation
from refmodel.engines.stepping import Stepping
from refmodel.engines.words import trace_text
from refmodel.language import Design, Total, geometry, implies, law, operation, outline, require
from refmodel.machine.names import Count, Vm
from refmodel.report.documents import document, plain
from refmodel.report.exploring import offer_text
from refmodel.report.stories import of_counterexample
from tests.designs import split
from tests.test_command import refmodel as command


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


def test_a_counterexample_shows_where_the_operation_began_and_where_it_goes_on() -> None:
    engine = refmodel.prove(Retries).engine("prove")
    (case,) = engine.counterexamples
    assert case.operation == "fault" and case.earlier == ((("there", 0, True),),) and case.entries == ()
    assert [(change.table, change.was, change.now) for change in case.changes] == [("mapped", False, True)]
    before, after, step = of_counterexample(outline(Retries), case, "title").steps
    assert [c.where for c in before.changes] == ["there[vm0]"] and not after.changes and step.verdict is not None
    printed = str(plain(document("x", outline(Retries), [engine])))
    assert "'earlier': [[{'entry': 'there[vm0]', 'value': 'true'}]]" in printed


def test_the_printed_counterexample_says_what_helps() -> None:
    done = command("check", f"{__file__}:Retries", "--engine", "prove")
    assert re.search(
        r"fault begins in a lawful state\n└── there\[vm0\]  true\nothers run, and it goes on in a lawful state; if no "
        r"run gets there, say so by a law, or by require after\s+the yield\n",
        done.stdout,
    ), done.stdout
    assert "1. fault(vm=vm0)   goes on\n└── mapped[vm0]  false  ->  true" in done.stdout


class First(Retries):
    """What breaks the law stands before the yield: there is one state."""

    @operation
    def fault(self, vm: Vm) -> Any:
        self.mapped[vm] = True
        yield
        self.there[vm] = True


def test_what_breaks_a_law_before_others_run_begins_in_one_state() -> None:
    design = outline(First)
    (found,) = [j for j in prove_operation(design, "fault").judgements if j.verdict == "refuted"]
    assert found.witness is not None and found.witness.earlier == ()


class Constant(Retries):
    """A table that nothing writes to: no counterexample is looked for behind the yield, and it is said why it is not proved."""

    kind: Total[Vm, bool]
    arbitrary = ("kind",)

    @operation
    def fault(self, vm: Vm) -> Any:
        seen = self.sequence[vm]
        require(self.there[vm] and self.kind[vm])
        yield
        require(self.sequence[vm] == seen)
        self.mapped[vm] = True


def test_what_is_not_proved_of_an_interrupted_operation_says_of_which_state_it_speaks_and_what_helps() -> None:
    (why,) = refmodel.prove(Constant).engine("prove").unproved
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
