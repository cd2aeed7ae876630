"""Designs whose numbers grow without bound: what exploration has seen of them, and what they come to."""

from typing import Any

import refmodel
from refmodel.language import Design, Total, geometry, implies, law, operation, require
from refmodel.machine.names import Count, Vm


class Epochs(Design):
    """An epoch only grows; a flag is set in an epoch, and cleared when it is over."""

    epoch: Total[Vm, Count]
    begun_in: Total[Vm, Count]
    waiting: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def begin(self, vm: Vm) -> None:
        self.epoch[vm] += 1

    @operation
    def wait(self, vm: Vm) -> None:
        self.begun_in[vm] = self.epoch[vm]
        self.waiting[vm] = True

    @law("EFF-4", "Nothing waits for an epoch that is yet to come.")
    def what_waits_has_begun(s: "Epochs", vm: Vm) -> Any:
        return implies(s.waiting[vm], s.begun_in[vm] <= s.epoch[vm])


class NotInductive(Epochs):
    """In runs the epoch that is noted has been; the law does not say so while nothing waits."""

    @operation
    def begin(self, vm: Vm) -> None:
        self.begun_in[vm] = self.epoch[vm]
        self.epoch[vm] += 1

    @operation
    def wait(self, vm: Vm) -> None:
        require(not self.waiting[vm])
        self.waiting[vm] = True


def test_what_was_seen_before_the_number_grew_too_large_is_reported() -> None:
    report = refmodel.check(Epochs, ["exhaustive"])
    engine = report.engine("exhaustive")
    assert engine.numbers.depth > 50 and engine.numbers.states > 1_000 and not engine.numbers.complete
    assert "where a number above 100 is stored" in engine.covered and not engine.why
    assert report.status is refmodel.Status.UNDECIDED
    assert "numbers grow larger than exploration keeps: bound them by require" in report.conclusion


def test_what_is_proved_is_not_undecided_because_exploration_cannot_end() -> None:
    report = refmodel.check(Epochs, ["exhaustive", "prove"])
    assert report.status is refmodel.Status.HOLDS
    assert report.conclusion.startswith("every law holds, for any number of names; exploration ended at depth ")


def test_a_proof_that_fails_leaves_it_undecided_and_says_how_far_a_run_was_looked_for() -> None:
    report = refmodel.check(NotInductive, ["exhaustive", "prove"])
    assert report.status is refmodel.Status.UNDECIDED
    notes = " ".join(report.engine("prove").notes)
    assert "where a number above 100 is stored" in notes and "no run breaks it" in notes and "api.py" not in notes
