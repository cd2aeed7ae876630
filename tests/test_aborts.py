"""A text that goes wrong is shown with its own place and in words, and not with a place of refmodel's own text."""

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.language import NOTHING, Design, Fault, Total, choose, geometry, law, operation, outline, require
from refmodel.machine.names import Count, Mfn, Vm


class Base(Design):
    holds: Total[Vm, Mfn]
    pins: Total[Mfn, Count]
    sessions: dict[Vm, Mfn]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def act(self, vm: Vm) -> None:
        self.wrong(vm)

    def wrong(self, vm: Vm) -> None:
        raise NotImplementedError  # here

    @law("ISO-1", "A VM holds nothing.")
    def holds_nothing(s: Any, vm: Vm) -> bool:
        return s.holds[vm] == NOTHING


class StoresUnderNothing(Base):
    def wrong(self, vm: Vm) -> None:
        self.pins[self.holds[vm]] = 1  # here


class LooksUp(Base):
    def wrong(self, vm: Vm) -> None:
        self.holds[vm] = self.sessions[vm]  # here


class Deletes(Base):
    def wrong(self, vm: Vm) -> None:
        del self.sessions[vm]  # here


class Subtracts(Base):
    @operation
    def unpin(self, mfn: Mfn) -> None:
        self.pins[mfn] -= 1  # here

    def wrong(self, vm: Vm) -> None:
        pass


@pytest.mark.parametrize("engine", ["random", "exhaustive", "prove", "bounded"])
@pytest.mark.parametrize(
    ("design", "words"),
    [
        (StoresUnderNothing, "a store under NOTHING"),
        (LooksUp, "the key 0 is missing"),
        (Deletes, "the key 0 is missing"),
        (Subtracts, "0 - 1 leaves the values of a natural number"),
        (Base, "NotImplementedError; another class has to provide this method"),
    ],
)
def test_an_abort_names_the_line_of_the_design(design: type[Design], words: str, engine: str) -> None:
    [report] = check(outline(design), [engine], Asked(seconds=1))
    assert report.failure is not None and report.disagreement is None
    found = re.fullmatch(rf"{re.escape(__file__)}:(\d+): {re.escape(words)}", report.failure.broken.error)
    assert found, report.failure.broken.error
    line = Path(__file__).read_text().splitlines()[int(found[1]) - 1]
    assert line.endswith("# here"), line


@attrs.frozen
class Reached:
    """How many there are now."""

    pins: Count = 0


class Denied(Fault):
    """There are as many as there may be."""


class Limited(Design):
    """An operation returns a record on some paths and raises a fault on others."""

    pins: Total[Vm, Count]
    geometry = geometry(Vm=1, naturals=2)

    @operation
    def pin(self, vm: Vm) -> Reached:
        if self.pins[vm] >= 2:
            raise Denied
        self.pins[vm] += 1
        return Reached(self.pins[vm])

    @law("RES-1", "What is returned is a number of pins.")
    def returned_is_small(s: "Limited", outcome: Reached) -> bool:
        return outcome.pins <= 2


class NeverDenied(Limited):
    @law("RES-2", "A pin is denied where there is none.")
    def denied_without_any(s: "NeverDenied", outcome: Denied, vm: Vm) -> bool:
        return s.pins[vm] == 0


class BelowZeroInALaw(Limited):
    @law("RES-2", "There was one before.")
    def one_before(s: "BelowZeroInALaw", before: "BelowZeroInALaw", outcome: Reached, vm: Vm) -> bool:
        return before.pins[vm] - 1 <= s.pins[vm]


@pytest.mark.parametrize("engine", ["random", "exhaustive", "prove", "bounded"])
def test_a_law_about_an_outcome_is_about_the_paths_that_have_it(engine: str) -> None:
    """A bounded search asked a record's law about the fault too, and said that the law does more than look."""
    [right] = check(outline(Limited), [engine], Asked(seconds=1))
    assert not right.failed and not right.why, right
    for wrong in (NeverDenied, BelowZeroInALaw):
        [report] = check(outline(wrong), [engine], Asked(seconds=1))
        assert report.failure is not None and report.disagreement is None
        assert report.failure.broken.clause == "RES-2", report.failure


def test_a_bounded_search_finds_what_goes_wrong_before_something_is_required() -> None:
    class RequiresLater(Subtracts):
        def wrong(self, vm: Vm) -> None:
            self.pins[choose(Mfn, lambda mfn: True)] -= 1
            require(self.holds[vm] != NOTHING)

    assert check(outline(RequiresLater), ["bounded"], Asked(depth=1))[0].failure is not None
