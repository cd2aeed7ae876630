"""Mutants of sharing under large mappings."""

import attrs

from refmodel.designs import SharedSuperpages
from refmodel.language import require
from refmodel.machine.cells import Cell
from refmodel.machine.names import Block, Index, Region, Vm
from refmodel.monitor.superpages import Broken, Spot, UnitRecord, UnitUse


class SharedUnderALargeMapping(SharedSuperpages):
    """A page is merged while a large mapping covers it."""

    def is_large(self, vm: Vm, region: Region) -> bool:
        return False


class SplitUnflushed(SharedSuperpages):
    """A mapping is split, and processors go on by the large one."""

    def flush_large(self, vm: Vm, region: Region) -> None:
        """Nothing."""


class PromotedUnlooked(SharedSuperpages):
    """A region is mapped large wherever its pages lie."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return 0


class MergedStillWritable(SharedSuperpages):
    """Two pages are merged, and one of them may be stored to."""

    def share(self, vm: Vm, region: Region, page: Index, other_vm: Vm, other_region: Region, other: Index) -> None:
        super().share(vm, region, page, other_vm, other_region, other)
        self.places[vm, region, page] = attrs.evolve(self.places[vm, region, page], writable=True)


class SmallPageUnscrubbed(SharedSuperpages):
    """A page comes to a guest with what its frame held."""

    def populate(self, vm: Vm, region: Region, page: Index, block: Block) -> None:
        require(not self.places[vm, region, page].mapped and self.units[block, page].use == UnitUse.FREE)
        self.bare_memory[vm, region, page] = self.memory[block, page]
        self.own(vm, region, page, Spot(block, page))


class BrokenUncounted(SharedSuperpages):
    """A page leaves a shared frame, which counts it still."""

    def break_sharing(self, vm: Vm, region: Region, page: Index) -> Broken:
        place = self.places[vm, region, page]
        unit = self.units[place.block, place.at]
        require(unit.references > 1)
        broken = super().break_sharing(vm, region, page)
        self.units[place.block, place.at] = unit
        return broken


class FrameForgotten(SharedSuperpages):
    """A page comes to lie in a frame, and the frame counts as free."""

    def own(self, vm: Vm, region: Region, page: Index, spot: Spot) -> None:
        super().own(vm, region, page, spot)
        self.units[spot.block, spot.at] = UnitRecord(references=1)


class BrokenUncopied(SharedSuperpages):
    """A page gets a frame of its own, with whatever is in it."""

    def own(self, vm: Vm, region: Region, page: Index, spot: Spot) -> None:
        place = self.places[vm, region, page]
        super().own(vm, region, page, spot)
        if place.mapped and not (place.block == spot.block and place.at == spot.at):
            self.memory[spot.block, spot.at] = Cell()


class LastSharerReadOnly(SharedSuperpages):
    """The last sharer of a frame is told to try its store again, and its page stays read-only."""

    def break_sharing(self, vm: Vm, region: Region, page: Index) -> Broken:
        place = self.places[vm, region, page]
        if place.mapped and self.units[place.block, place.at].references == 1:
            return Broken(True, vm, region, page)
        return super().break_sharing(vm, region, page)
