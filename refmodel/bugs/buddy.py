"""Mutants of the frame allocator."""

import attrs

from refmodel.designs import BuddyFrames
from refmodel.language import NOTHING, operation, require
from refmodel.machine.names import Block, Index, Vm
from refmodel.monitor.buddy import BlockRecord, FrameRecord, Given, Moved


class MergedInUse(BuddyFrames):
    """A block is merged while frames of it are in use."""

    def is_free(self, record: BlockRecord) -> bool:
        return True


class GivenDirty(BuddyFrames):
    """Nobody scrubs what is given out."""

    def scrubbed(self, dirty: bool, holds: Vm) -> Vm:
        return holds


class FreedAsClean(BuddyFrames):
    """A frame that comes back counts as clean."""

    def marks_dirty(self) -> bool:
        return False


class MovedEmpty(BuddyFrames):
    """A frame moves, and what it held stays."""

    def copied(self, unit: FrameRecord) -> FrameRecord:
        return FrameRecord(unit.owner)


class GivenWhileLeaving(BuddyFrames):
    """Frames are given out from a block that is to be removed."""

    def gives_from(self, record: BlockRecord) -> bool:
        return True


class ShatteredUncounted(BuddyFrames):
    """A block that is given out whole is taken apart, and its frames count as free."""

    def shatter(self, block: Block) -> None:
        super().shatter(block)
        self.blocks[block] = attrs.evolve(self.blocks[block], used=0)


class WholeCountsAsOne(BuddyFrames):
    """A block that is given out whole counts as a frame of its own that is."""

    def allocate_block(self, block: Block, vm: Vm) -> Given:
        given = super().allocate_block(block, vm)
        if given.given:
            self.blocks[block] = attrs.evolve(self.blocks[block], used=1)
        return given


class OwnerOutlivesTheFrame(BuddyFrames):
    """A frame that comes back is its owner's still."""

    def give_back(self, block: Block, index: Index) -> None:
        owner = self.units[block, index].owner
        super().give_back(block, index)
        self.units[block, index] = attrs.evolve(self.units[block, index], owner=owner)
        require(owner != NOTHING)


class MovedFromAndKept(BuddyFrames):
    """A frame moves to another, and the one that it moved from is not given back: its block can never be removed."""

    @operation
    def move(self, block: Block, index: Index, to: Block) -> Moved:
        unit = self.units[block, index]
        require(self.blocks[block].leaving and unit.owner != NOTHING)
        new = self.take_unit(to, unit.owner)
        self.units[to, new] = self.copied(unit)
        return Moved(unit.holds, unit.holds)
