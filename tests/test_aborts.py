"""A text that goes wrong is shown with its own place and in words, and not with a place of refmodel's own text."""

import re
from pathlib import Path
from typing import Any

import pytest

from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.language import NOTHING, Design, Total, geometry, law, operation, outline
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


@pytest.mark.parametrize("engine", ["random", "exhaustive", "prove"])
@pytest.mark.parametrize(("design", "words"), [
    (StoresUnderNothing, "a store under the name of nobody"),
    (LooksUp, "the key 0 is missing"),
    (Deletes, "the key 0 is missing"),
    (Subtracts, "0 - 1 leaves the values of a natural number"),
    (Base, "NotImplementedError; another class has to provide this method")])
def test_an_abort_names_the_line_of_the_design(design: type[Design], words: str, engine: str) -> None:
    [report] = check(outline(design), [engine], Asked(seconds=1))
    assert report.failure is not None
    found = re.fullmatch(rf"{re.escape(__file__)}:(\d+): {re.escape(words)}", report.failure.broken.error)
    assert found, report.failure.broken.error
    line = Path(__file__).read_text().splitlines()[int(found[1]) - 1]
    assert line.endswith("# here"), line
