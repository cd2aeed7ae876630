"""Designs of a few lines, each with one thing about its verdict."""

from typing import Any

import attrs

from refmodel.language import NOTHING, Design, Fault, Total, cached, count, geometry, guest, implies, law, operation, require, reset
from refmodel.machine.names import Count, Mfn, Vm


@attrs.frozen
class Cell:
    full: bool = False
    number: Count = 0


class Pot(Design):
    """Holds one, or nothing."""

    cells: Total[Vm, Cell]
    geometry = geometry(Vm=2, naturals=2)

    @operation
    def fill(self, vm: Vm) -> None:
        require(not self.cells[vm].full)
        self.cells[vm] = Cell(True, 1)

    @law("RES-1", "A full cell holds one.")
    def full_is_one(s: "Pot", vm: Vm) -> Any:
        return implies(s.cells[vm].full, s.cells[vm].number == 1)


class NotInductive(Pot):
    """``add`` applies in no run, but a lawful state lets it."""

    @operation
    def add(self, vm: Vm) -> None:
        require(self.cells[vm].number == 2)
        self.cells[vm] = Cell(True, 2)


class AbortsAndIsNotInductive(NotInductive):
    """It looks up a key that is missing, too."""

    numbers: dict[Vm, Count]

    @operation
    def add_up(self, vm: Vm) -> None:
        self.numbers[vm] += 1


class NotExplored(NotInductive):
    """The same, said to be too large."""

    explored = False
    geometry = geometry(Vm=6, naturals=2)


class Still(Pot):
    """No operation ever applies."""

    @operation
    def fill(self, vm: Vm) -> None:
        require(self.cells[vm].full)
        self.cells[vm] = Cell(True, 1)


class Unmet(Pot):
    """One law says nothing: its premise never holds, since another law excludes it."""

    @law("RES-2", "A full cell that holds two is well.")
    def two_is_well(s: "Unmet", vm: Vm) -> Any:
        return implies(s.cells[vm].full and s.cells[vm].number == 2, not s.cells[vm].full)


@attrs.frozen
class Answer:
    right: bool = False


class Silent(Pot):
    """One law is about an outcome that no operation has."""

    @law("RES-3", "An answer is right.")
    def answers_are_right(s: "Silent", outcome: Answer) -> Any:
        return outcome.right


class Full(Fault):
    """The cell is full."""


class NeverAnswers(Silent):
    """An operation states that it answers, and raises a fault on every path that applies."""

    @operation
    def ask(self, vm: Vm) -> Answer:
        if self.cells[vm].number < 3:
            raise Full
        return Answer(True)

    @law("RES-4", "No cell holds more than two.")
    def at_most_two(s: "NeverAnswers", vm: Vm) -> Any:
        return s.cells[vm].number <= 2


class RaisesAFault(Pot):
    """One law is about a fault, and states no premise."""

    @operation
    def ask(self, vm: Vm) -> Answer:
        if self.cells[vm].full:
            raise Full
        return Answer(True)

    @law("RES-3", "A fault changes nothing.")
    def a_fault_changes_nothing(s: "RaisesAFault", before: "RaisesAFault", outcome: Full, vm: Vm) -> Any:
        return s.cells[vm] == before.cells[vm]


class FillsAndFails(RaisesAFault):
    """A fault is raised when the cell was filled."""

    @operation
    def ask(self, vm: Vm) -> Answer:
        if not self.cells[vm].full:
            self.cells[vm] = Cell(True, 1)
            raise Full
        return Answer(True)


class FillsAndFailsFromNowhere(RaisesAFault):
    """The same, in states that no run gets to and that no law excludes."""

    wrong: Total[Vm, bool]

    @operation
    def ask(self, vm: Vm) -> Answer:
        if self.wrong[vm] and not self.cells[vm].full:
            self.cells[vm] = Cell(True, 1)
            raise Full
        return Answer(True)


class RaisesLater(Pot):
    """A fault is raised after others have run; of one law about it the premise never holds."""

    @operation
    def ask(self, vm: Vm) -> Any:
        require(self.cells[vm].full)
        yield
        if self.cells[vm].full:
            raise Full

    @law("RES-3", "A fault is for a full cell.")
    def a_cell_is_full(s: "RaisesLater", before: "RaisesLater", outcome: Full, vm: Vm) -> Any:
        return implies(before.cells[vm].full, s.cells[vm].full)

    @law("RES-4", "A fault is for a cell that is full and empty.")
    def full_and_empty(s: "RaisesLater", before: "RaisesLater", outcome: Full, vm: Vm) -> Any:
        return implies(before.cells[vm].full and not before.cells[vm].full, s.cells[vm].full)


class Leaning(Pot):
    """RES-4 follows from RES-5 alone, and RES-5 is false of lawful states."""

    ready: Total[Vm, bool]

    @operation
    def use(self, vm: Vm) -> None:
        require(self.ready[vm])
        self.cells[vm] = Cell(True, 1)

    @operation
    def prepare(self, vm: Vm) -> None:
        require(self.cells[vm].number == 2)
        self.ready[vm] = True

    @law("RES-4", "A cell with two is not ready.")
    def two_is_not_ready(s: "Leaning", vm: Vm) -> Any:
        return implies(s.cells[vm].number == 2, not s.ready[vm])

    @law("RES-5", "No cell holds two.")
    def none_holds_two(s: "Leaning", vm: Vm) -> Any:
        return s.cells[vm].number != 2

    @operation
    def lose(self, vm: Vm) -> None:
        require(self.ready[vm])
        self.cells[vm] = Cell(False, 2)


class Breaks(Pot):
    """Breaks its law in two steps."""

    @operation
    def add(self, vm: Vm) -> None:
        require(self.cells[vm].full)
        self.cells[vm] = Cell(True, 2)


@attrs.frozen
class Told:
    """An outcome without a field ``shown``."""

    others: bool = False


class Whispers(Design):
    """A VM is told whether another has something."""

    cells: Total[Vm, Cell]
    geometry = geometry(Vm=2)
    known = ("cells",)

    @guest
    def take(self, vm: Vm) -> None:
        require(not self.cells[vm].full)
        self.cells[vm] = Cell(True)

    @guest
    def ask(self, vm: Vm, other: Vm) -> Told:
        return Told(self.cells[other].full)

    @law("RES-1", "A cell holds nothing.")
    def holds_nothing(s: "Whispers", vm: Vm) -> Any:
        return s.cells[vm].number == 0


class Mute(Whispers):
    """No guest gets to ask anything."""

    @guest
    def ask(self, vm: Vm, other: Vm) -> Told:
        require(self.cells[other].number == 2)
        return Told(self.cells[other].full)


class Miscounted(Design):
    """A cache of frames is drained, and those of others with it: what the counts come to after that is too hard for the prover."""

    owner: Total[Mfn, Vm]
    number: Total[Vm, Count]
    geometry = geometry(Vm=2, Mfn=2, naturals=2)

    @operation
    def take(self, vm: Vm, mfn: Mfn) -> None:
        require(self.owner[mfn] == NOTHING)
        self.owner[mfn] = vm
        self.number[vm] += 1

    @operation
    def drain(self, vm: Vm) -> None:
        reset(self.owner, lambda owner, mfn: owner != NOTHING)
        self.number[vm] = 0

    @law("RES-1", "A cache's number is that of its frames.")
    def numbers_are_exact(s: "Miscounted", vm: Vm) -> Any:
        return s.number[vm] == count(s.owner, lambda owner, mfn: owner == vm)


class Unlooked(Design):
    """The conclusion of ``implies`` looks up a key that is there only where the premise holds."""

    kept: dict[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def keep(self, vm: Vm) -> None:
        self.kept[vm] = True

    @law("RES-1", "What is kept is true.")
    def what_is_kept_is_true(s: "Unlooked", vm: Vm) -> Any:
        return implies(vm in s.kept, s.kept[vm])


class Unreached(Pot):
    """A lawful state meets the premise, and no run gets there."""

    @law("RES-2", "What holds two is not full.")
    def two_is_not_full(s: "Unreached", vm: Vm) -> Any:
        return implies(s.cells[vm].number == 2, not s.cells[vm].full)


class NeedsThree(Pot):
    """Two VMs are too few to meet the premise."""

    @law("RES-2", "Of three full cells each holds one.")
    def three_are_ones(s: "NeedsThree", vm: Vm, other: Vm, third: Vm) -> Any:
        apart = vm != other and other != third and vm != third
        return implies(apart and s.cells[vm].full and s.cells[other].full and s.cells[third].full, s.cells[vm].number == 1)


class LetsNothingBeAdded(Pot):
    """``add`` asks for more than the law allows."""

    @operation
    def add(self, vm: Vm) -> None:
        require(self.cells[vm].full and self.cells[vm].number == 0)
        self.cells[vm] = Cell(True, 1)


class TurnsAddingOff(LetsNothingBeAdded):
    @operation
    def add(self, vm: Vm) -> None:
        """Adds nothing."""
        require(False)


class CachesOnce(Design):
    """Two paths of one operation write the same, and only the second one changes anything."""

    tlb: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def access(self, vm: Vm) -> None:
        if not (self.tlb[vm] and cached("entry")):
            self.tlb[vm] = True

    @law("ISO-1", "Whose translation is cached had an access.")
    def caches_its_own(s: "CachesOnce", before: "CachesOnce", actor: Vm, vm: Vm) -> Any:
        return implies(s.tlb[vm] and not before.tlb[vm], vm == actor)


@attrs.frozen
class Filled:
    full: bool = False


class CountsItself(Pot):
    """Laws that are true of whatever is counted."""

    @law("RES-2", "A cell that has the number one is one of those that have it.")
    def counts_itself(s: "CountsItself", vm: Vm) -> Any:
        return implies(s.cells[vm].number == 1, count(s.cells, lambda cell, vm: cell.number == 1) >= 1)

    @law("RES-2", "No more cells are full and have the number one than have it.")
    def counts_more(s: "CountsItself") -> Any:
        full = count(s.cells, lambda cell, vm: cell.number == 1 and cell.full)
        return full <= count(s.cells, lambda cell, vm: cell.number == 1)


class SaysNothing(Pot):
    """Laws that no design breaks, whatever it does; and one that a method breaks, if it is another."""

    def fill(self, vm: Vm) -> Filled:
        require(self.may_fill(vm))
        self.cells[vm] = Cell(True, 1)
        return Filled(True)

    def may_fill(self, vm: Vm) -> bool:
        return not self.cells[vm].full

    @law("RES-2", "A cell is full or not.")
    def full_or_not(s: "SaysNothing", vm: Vm) -> Any:
        return implies(s.cells[vm].number == 1, s.cells[vm].full or not s.cells[vm].full)

    @law("RES-2", "Whoever fills a cell has filled it or not.")
    def filled_or_not(s: "SaysNothing", before: "SaysNothing", outcome: Filled, vm: Vm) -> Any:
        return s.cells[vm] == before.cells[vm] or s.cells[vm] != before.cells[vm]

    @law("RES-2", "A cell that is not full can be filled.")
    def can_be_filled(s: "SaysNothing", vm: Vm) -> Any:
        return s.cells[vm].full or s.may_fill(vm)
