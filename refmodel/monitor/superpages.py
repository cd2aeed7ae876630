"""Sharing under large mappings: a superpage is split before one of its pages is merged.

A large mapping is one entry for a whole region, with one right to write for all of it. A page that lies in a shared frame must not
be written to, so it cannot be part of one: the mapping is *split* first, processors forget the large translation, and only then is
the page merged. (Waldspurger, OSDI 2002, section 4, shares small pages; ESX breaks large ones when memory is short. Linux's KSM
splits a transparent huge page that holds what it merges.) Splitting takes a frame for the table, and can fail; then nothing has
changed.

The other way, a region whose pages lie in one block, in order, each in a frame of its own and writable, can be mapped large again
(*promoted*; Linux's ``khugepaged``). Which of that is so is found out page by page, and no page may stop being so in between.
"""

import enum

import attrs

from refmodel.language import NOTHING, Design, Total, cached, choose, count, fails, guest, operation, require
from refmodel.machine.cells import Cell
from refmodel.machine.names import Block, Count, Index, Region, Vm


class UnitUse(enum.Enum):
    FREE = "free"
    PRIVATE = "private"
    SHARED = "shared"


@attrs.frozen
class UnitRecord:
    """A small frame: for a private one whose page it is."""

    use: UnitUse = UnitUse.FREE
    vm: Vm = NOTHING
    region: Region = NOTHING
    page: Index = NOTHING
    references: Count = 0


@attrs.frozen
class SmallPage:
    """Where a page lies, by the p2m or by a processor's cache."""

    mapped: bool = False
    block: Block = NOTHING
    at: Index = NOTHING
    writable: bool = False


@attrs.frozen
class LargePage:
    """A large mapping, in the tables or in a processor's cache: to a whole block, for storing too."""

    mapped: bool = False
    block: Block = NOTHING


@attrs.frozen
class Spot:
    """A small frame: its block, and which of it."""

    block: Block
    at: Index


@attrs.frozen
class Loaded:
    """What an access showed, and what it was due."""

    shown: Cell
    due: Cell


@attrs.frozen
class Broken:
    """A store to a shared page that exited: whether it was served, or has to be tried again because there is no frame."""

    served: bool
    vm: Vm
    region: Region
    page: Index


class Superpages(Design):
    units: Total[tuple[Block, Index], UnitRecord]
    memory: Total[tuple[Block, Index], Cell]
    """What small frames hold: one cell each, here."""
    places: Total[tuple[Vm, Region, Index], SmallPage]
    """The p2m, page by page, however the pages are mapped."""
    large: Total[tuple[Vm, Region], LargePage]
    large_tlb: Total[tuple[Vm, Region], LargePage]
    small_tlb: Total[tuple[Vm, Region, Index], SmallPage]
    bare_memory: Total[tuple[Vm, Region, Index], Cell]

    arbitrary = ("memory",)

    # ------------------------------------------------------------ the guest

    def reach(self, vm: Vm, region: Region, page: Index, write: bool) -> Spot:
        """By a cached translation of either size if the processor uses it, and else by the tables, which it remembers."""
        if self.large_tlb[vm, region].mapped and cached("large translation"):
            return Spot(self.large_tlb[vm, region].block, page)
        small = self.small_tlb[vm, region, page]
        if small.mapped and (small.writable or not write) and cached("small translation"):
            return Spot(small.block, small.at)
        if self.large[vm, region].mapped:
            self.large_tlb[vm, region] = self.large[vm, region]
            return Spot(self.large[vm, region].block, page)
        place = self.places[vm, region, page]
        require(place.mapped and (place.writable or not write))
        self.small_tlb[vm, region, page] = place
        return Spot(place.block, place.at)

    @guest
    def load(self, vm: Vm, region: Region, page: Index) -> Loaded:
        spot = self.reach(vm, region, page, write=False)
        return Loaded(self.memory[spot.block, spot.at], self.bare_memory[vm, region, page])

    @guest
    def store(self, vm: Vm, region: Region, page: Index, value: Cell) -> Loaded:
        spot = self.reach(vm, region, page, write=True)
        was = Loaded(self.memory[spot.block, spot.at], self.bare_memory[vm, region, page])
        self.memory[spot.block, spot.at] = value
        self.bare_memory[vm, region, page] = value
        return was

    # ------------------------------------------------------------ small and large

    @operation
    def populate(self, vm: Vm, region: Region, page: Index, block: Block) -> None:
        """A page comes to lie where it would in a large mapping, if there is room."""
        require(not self.places[vm, region, page].mapped)
        require(self.units[block, page].use == UnitUse.FREE)
        self.memory[block, page] = Cell()
        self.bare_memory[vm, region, page] = Cell()
        self.own(vm, region, page, Spot(block, page))

    def own(self, vm: Vm, region: Region, page: Index, spot: Spot) -> None:
        """A page lies in a frame of its own."""
        self.units[spot.block, spot.at] = UnitRecord(UnitUse.PRIVATE, vm, region, page, references=1)
        self.places[vm, region, page] = SmallPage(True, spot.block, spot.at, writable=True)

    @operation
    def promote(self, vm: Vm, region: Region, block: Block) -> None:
        """A region whose pages all lie in one block, in order and writable, is mapped large."""
        require(not self.large[vm, region].mapped)
        require(self.misfits(vm, region, block) == 0)
        self.large[vm, region] = LargePage(True, block)

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        """How many pages of a region do not lie where they would in a large mapping, or may not be stored to."""
        return count(self.places, lambda place, v, r, page: v == vm and r == region and not (
            place.mapped and place.block == block and place.at == page and place.writable))

    @operation
    def split(self, vm: Vm, region: Region) -> None:
        """Map a region by small pages again; if no frame can be had for the table, nothing happens."""
        require(self.large[vm, region].mapped)
        if fails("table frame"):
            return
        self.large[vm, region] = LargePage()
        self.flush_large(vm, region)

    def flush_large(self, vm: Vm, region: Region) -> None:
        """No processor remembers the large translation."""
        self.large_tlb[vm, region] = LargePage()

    # ------------------------------------------------------------ sharing

    @operation
    def share(self, vm: Vm, region: Region, page: Index, other_vm: Vm, other_region: Region, other: Index) -> None:
        """Merge two pages that hold the same, neither of which is part of a large mapping."""
        keep, drop = self.places[vm, region, page], self.places[other_vm, other_region, other]
        require(keep.mapped and drop.mapped)
        require(not self.is_large(vm, region) and not self.is_large(other_vm, other_region))
        require(self.units[drop.block, drop.at].use == UnitUse.PRIVATE)
        require(not (keep.block == drop.block and keep.at == drop.at))
        require(self.memory[keep.block, keep.at] == self.memory[drop.block, drop.at])
        references = self.units[keep.block, keep.at].references
        self.units[drop.block, drop.at] = UnitRecord()
        self.units[keep.block, keep.at] = UnitRecord(UnitUse.SHARED, references=references + 1)
        shared = attrs.evolve(keep, writable=False)
        self.places[vm, region, page] = shared
        self.places[other_vm, other_region, other] = shared
        self.small_tlb[vm, region, page] = SmallPage()
        self.small_tlb[other_vm, other_region, other] = SmallPage()

    def is_large(self, vm: Vm, region: Region) -> bool:
        return self.large[vm, region].mapped

    @operation
    def break_sharing(self, vm: Vm, region: Region, page: Index) -> Broken:
        """A store to a shared page has exited: it gets a frame of its own, any; the last sharer keeps the frame."""
        place = self.places[vm, region, page]
        unit = self.units[place.block, place.at]
        require(place.mapped and unit.use == UnitUse.SHARED)
        if unit.references == 1:
            self.own(vm, region, page, Spot(place.block, place.at))
            return Broken(True, vm, region, page)
        if fails("frame"):
            return Broken(False, vm, region, page)
        block: Block = choose(Block, lambda block: self.spare(block) > 0)
        at: Index = choose(Index, lambda at: self.units[block, at].use == UnitUse.FREE)
        self.memory[block, at] = self.memory[place.block, place.at]
        self.units[place.block, place.at] = attrs.evolve(unit, references=unit.references - 1)
        self.own(vm, region, page, Spot(block, at))
        self.small_tlb[vm, region, page] = SmallPage()
        return Broken(True, vm, region, page)

    def in_transit(self, block: Block, at: Index) -> int:
        """How many references to a frame a step that is under way has taken, beside those of pages. Here each step is done at
        once."""
        return 0

    def spare(self, block: Block) -> int:
        """How many frames of a block are free."""
        return count(self.units, lambda unit, of, at: of == block and unit.use == UnitUse.FREE)


def references(s: Superpages, block: Block, at: Index) -> int:
    """How many pages lie in a frame."""
    return count(s.places, lambda place, vm, region, page: place.mapped and place.block == block and place.at == at)
