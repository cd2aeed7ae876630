"""The frames of a large mapping have one reference more each while the mapping is being split."""

from typing import Any

import attrs

from refmodel.designs import SharedSuperpages
from refmodel.language import NOTHING, Total, count, implies, law, operation, require
from refmodel.machine.names import Block, Index, Region, Vm
from refmodel.monitor.superpages import UnitUse


class Control(SharedSuperpages):
    """Whoever is about to split a mapping takes hold of its frames one by one, and gives them back one by one. Their counts are not
    the numbers of their pages meanwhile. What is in transit is written down, and the mapping stays until all is given back."""

    transit: Total[tuple[Block, Index], bool]

    @operation
    def hold(self, vm: Vm, region: Region, page: Index) -> None:
        block = self.large[vm, region].block
        require(self.large[vm, region].mapped and block != NOTHING)
        require(self.places[vm, region, page].mapped)
        require(not self.transit[block, page])
        self.count(block, page, self.units[block, page].references + 1)
        self.transit[block, page] = True

    @operation
    def give_back(self, block: Block, at: Index) -> None:
        require(self.transit[block, at])
        self.count(block, at, self.units[block, at].references - 1)
        self.transit[block, at] = False

    def count(self, block: Block, at: Index, references: int) -> None:
        self.units[block, at] = attrs.evolve(self.units[block, at], references=references)

    @operation
    def split(self, vm: Vm, region: Region) -> None:
        require(self.held(self.large[vm, region].block) == 0)
        super().split(vm, region)

    def held(self, block: Block) -> int:
        return count(self.transit, lambda held, b, at: b == block and held)

    def in_transit(self, block: Block, at: Index) -> int:
        return 1 if self.transit[block, at] else 0

    @law("RES-1", "A frame is in transit only while a large mapping covers it.")
    def frames_in_transit_are_covered(self: Any, block: Block, at: Index) -> bool:
        unit = self.units[block, at]
        large = self.large[unit.vm, unit.region]
        return implies(self.transit[block, at], unit.use == UnitUse.PRIVATE and large.mapped and large.block == block)
