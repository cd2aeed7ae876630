"""What a step of the other design is about: a choice of this one, a value that it reads or writes, and never NOTHING."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
import pytest

from refmodel.engines.simulation_runs import simulated_runs
from refmodel.language import (
    NOTHING,
    Bits,
    Design,
    Total,
    choose,
    count,
    geometry,
    guest,
    implies,
    law,
    operation,
    outline,
    require,
)
from refmodel.machine.names import Gfn, Mfn, Vm
from tests.test_abstraction import failing

Word = Annotated[int, Bits(40)]


@attrs.frozen
class Shown:
    on: bool = False


@attrs.frozen
class Put:
    v: Mfn = NOTHING


class Gives(Design):
    """A frame is given, or one is chosen."""

    own: Total[Mfn, Vm]
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def give(self, vm: Vm, mfn: Mfn) -> None:
        require(self.own[mfn] == NOTHING)
        self.own[mfn] = vm

    @operation
    def alloc(self, vm: Vm) -> None:
        mfn = choose(Mfn, lambda m: self.own[m] == NOTHING)
        self.own[mfn] = vm

    @guest
    def look(self, vm: Vm) -> Shown:
        return Shown(count(self.own, lambda owner, mfn: owner == vm) > 0)

    @law("RES-1", "a frame has one owner at most")
    def one_owner(s: Any, mfn: Mfn, vm: Vm, other: Vm) -> bool:
        return implies(s.own[mfn] == vm and s.own[mfn] == other, vm == other)


class Chooses(Gives):
    """A choice is a step that gives what was chosen, and the other way round."""

    steps = {"chosen": ("give",), "given": ("alloc",)}

    @operation
    def chosen(self, vm: Vm) -> None:
        mfn = choose(Mfn, lambda m: self.own[m] == NOTHING)
        self.own[mfn] = vm

    @operation
    def given(self, vm: Vm, mfn: Mfn) -> None:
        require(self.own[mfn] == NOTHING)
        self.own[mfn] = vm


class ChoosesTaken(Chooses):
    """A frame that has an owner is chosen too."""

    @operation
    def chosen(self, vm: Vm) -> None:
        mfn = choose(Mfn, lambda m: self.own[m] != vm)
        self.own[mfn] = vm


class Store(Design):
    """Pages are put, each in a frame."""

    held: Total[Gfn, Mfn]
    geometry = geometry(Gfn=2, Mfn=2, Vm=1)

    @operation
    def put(self, gfn: Gfn, v: Mfn) -> None:
        self.held[gfn] = v

    @guest
    def look(self, vm: Vm, gfn: Gfn) -> Shown:
        return Shown(self.held[gfn] == NOTHING)

    @law("RES-1", "a page that is put stays put")
    def stays(s: Any, before: Any, gfn: Gfn) -> bool:
        return implies(before.held[gfn] != NOTHING, s.held[gfn] != NOTHING)


class Copies(Store):
    """Puts what it reads, which is the frame of a page."""

    @operation
    def copy(self, gfn: Gfn, other: Gfn) -> None:
        require(self.held[other] != NOTHING)
        self.held[gfn] = self.held[other]


class PutsNothing(Design):
    """Puts what may be no frame, and returns it. It is a step that takes long to be met by chance."""

    held: Total[Gfn, Mfn]
    back: Total[Gfn, Mfn]
    geometry = geometry(Gfn=2, Mfn=2, Vm=1)

    @operation
    def put(self, gfn: Gfn) -> Put:
        self.held[gfn] = self.back[gfn]
        return Put(self.back[gfn])

    @operation
    def fill(self, gfn: Gfn, mfn: Mfn, key: Word) -> None:
        require(key == 0x1234567)
        self.held[gfn] = mfn

    @guest
    def look(self, vm: Vm, gfn: Gfn) -> Shown:
        return Shown(self.held[gfn] == NOTHING)

    @law("RES-1", "a page stays as it is")
    def itself(s: Any, gfn: Gfn) -> bool:
        return s.back[gfn] == s.back[gfn]


@pytest.mark.parametrize("design, other", [(Chooses, Gives), (Copies, Store)])
def test_a_step_may_be_about_what_was_chosen_or_read(design: type[Design], other: type[Design]) -> None:
    assert failing(design, other) == set()
    done = simulated_runs(outline(design), outline(other), design.geometry, runs=100, seconds=60)
    assert done.failure is None and done.explained.total() > 50


def test_what_the_other_design_would_not_choose_is_no_step() -> None:
    assert failing(ChoosesTaken, Gives) == {"chosen"}
    assert simulated_runs(outline(ChoosesTaken), outline(Gives), Gives.geometry, runs=200, seconds=60).failure is not None


def test_no_step_is_about_nothing() -> None:
    assert failing(PutsNothing, Store) == {"put"}
