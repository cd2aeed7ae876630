"""A design with two laws, and a variant that forgets something."""

import attrs

from refmodel import Design, Total, geometry, implies, law, operation, require
from refmodel.machine.names import Count, Vm


@attrs.frozen
class Cell:
    full: bool = False
    number: Count = 0


class Pot(Design):
    """A cell of each VM holds one thing, or nothing."""

    cells: Total[Vm, Cell]
    geometry = geometry(Vm=2, naturals=2)

    @operation
    def fill(self, vm: Vm) -> None:
        require(not self.cells[vm].full)
        self.cells[vm] = Cell(True, 1)

    @operation
    def drain(self, vm: Vm) -> None:
        require(self.cells[vm].full)
        self.cells[vm] = Cell()

    @law("RES-1", "A full cell holds one thing.")
    def a_full_cell_holds_one(s: "Pot", vm: Vm) -> bool:
        return implies(s.cells[vm].full, s.cells[vm].number == 1)

    @law("RES-2", "An empty cell holds nothing.")
    def an_empty_cell_holds_nothing(s: "Pot", vm: Vm) -> bool:
        return implies(not s.cells[vm].full, s.cells[vm].number == 0)


class Leaky(Pot):
    """Draining leaves the number as it is."""

    @operation
    def drain(self, vm: Vm) -> None:
        require(self.cells[vm].full)
        self.cells[vm] = attrs.evolve(self.cells[vm], full=False)
