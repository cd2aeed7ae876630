"""Machine memory as an allocator keeps it: large frames and small ones, scrubbing now or later, memory that comes and goes.

A *block* is a large frame. It is free, given out whole, or *split* into its small frames; when all of those are free again it is
*merged* (the buddy system: Knowlton, CACM 1965; Xen's ``page_alloc.c``, Linux's ``page_alloc.c``). A small frame is its block and
an index in it, so a frame's buddies are found without looking.

What a frame held must not reach its next owner. It is scrubbed when that one gets it (*lazily*: Xen's ``need_scrub``), or before,
when there is time (*eagerly*); until then it says that it is not clean.

Memory is *added* while the machine runs, and nobody knows what it holds. To *remove* a block, nothing new is given out from it,
what is in use is *moved* elsewhere, and when it is free it goes. Whoever has a frame that moves is told the new one, and finds
there what it held.
"""

import enum

import attrs

from refmodel.language import NOTHING, Design, Total, assign, choose, count, fails, operation, require
from refmodel.machine.names import Block, Count, Index, Vm


class Span(enum.Enum):
    """What has become of a block."""

    OFFLINE = "not there"
    FREE = "free"
    WHOLE = "given out whole"
    SPLIT = "split"


@attrs.frozen
class BlockRecord:
    span: Span = Span.OFFLINE
    owner: Vm = NOTHING
    used: Count = 0
    """Of a split block, how many of its frames are given out."""
    dirty: bool = False
    """Of a block in one piece: whether it may hold what was another's."""
    holds: Vm = NOTHING
    """Of a block in one piece: whose it is, if anybody's."""
    leaving: bool = False
    """It is to be removed: nothing is given out from it."""


@attrs.frozen
class FrameRecord:
    """A small frame of a split block."""

    owner: Vm = NOTHING
    dirty: bool = False
    holds: Vm = NOTHING


@attrs.frozen
class Given:
    """What an allocation gave, if anything: a frame, whose record is this."""

    given: bool = False
    vm: Vm = NOTHING
    holds: Vm = NOTHING


@attrs.frozen
class Moved:
    """What a frame's owner found in it, and finds in the new one."""

    held: Vm
    holds: Vm


class Buddy(Design):
    blocks: Total[Block, BlockRecord]
    units: Total[tuple[Block, Index], FrameRecord]

    # ------------------------------------------------------------ memory comes and goes

    @operation
    def add_memory(self, block: Block, vm: Vm) -> None:
        """A block is plugged in. It may hold anybody's: say this one's."""
        require(self.blocks[block].span == Span.OFFLINE)
        self.blocks[block] = BlockRecord(Span.FREE, dirty=True, holds=vm)

    @operation
    def begin_removing(self, block: Block) -> None:
        require(self.blocks[block].span != Span.OFFLINE and not self.blocks[block].leaving)
        self.blocks[block] = attrs.evolve(self.blocks[block], leaving=True)

    @operation
    def call_removing_off(self, block: Block) -> None:
        require(self.blocks[block].leaving)
        self.blocks[block] = attrs.evolve(self.blocks[block], leaving=False)

    @operation
    def remove_memory(self, block: Block) -> None:
        require(self.blocks[block].span == Span.FREE and self.blocks[block].leaving)
        self.blocks[block] = BlockRecord()

    @operation
    def move(self, block: Block, index: Index, to: Block) -> Moved:
        """A frame of a block that is leaving moves to another."""
        unit = self.units[block, index]
        require(self.blocks[block].leaving and unit.owner != NOTHING)
        if fails("frame"):
            return Moved(unit.holds, unit.holds)
        new = self.take_unit(to, unit.owner)
        self.units[to, new] = self.copied(unit)
        self.give_back(block, index)
        return Moved(unit.holds, self.units[to, new].holds)

    def copied(self, unit: FrameRecord) -> FrameRecord:
        """The record of a frame to which another's contents have been copied."""
        return FrameRecord(unit.owner, holds=unit.holds)

    # ------------------------------------------------------------ large frames

    @operation
    def allocate_block(self, block: Block, vm: Vm) -> Given:
        if fails("block"):
            return Given()
        record = self.blocks[block]
        require(record.span == Span.FREE and self.gives_from(record))
        self.blocks[block] = BlockRecord(Span.WHOLE, vm, holds=self.scrubbed(record.dirty, record.holds))
        return Given(True, vm, self.blocks[block].holds)

    def gives_from(self, record: BlockRecord) -> bool:
        return not record.leaving

    def scrubbed(self, dirty: bool, holds: Vm) -> Vm:
        """What a frame holds that is about to be given out."""
        return NOTHING if dirty else holds

    @operation
    def use_block(self, block: Block) -> None:
        """Its owner stores to it."""
        require(self.blocks[block].span == Span.WHOLE)
        self.blocks[block] = attrs.evolve(self.blocks[block], holds=self.blocks[block].owner)

    @operation
    def free_block(self, block: Block) -> None:
        require(self.blocks[block].span == Span.WHOLE)
        self.blocks[block] = attrs.evolve(self.blocks[block], span=Span.FREE, owner=NOTHING, dirty=True)

    @operation
    def split(self, block: Block) -> None:
        """A free block becomes small frames, which are as clean as it was."""
        record = self.blocks[block]
        require(record.span == Span.FREE)
        self.blocks[block] = BlockRecord(Span.SPLIT, leaving=record.leaving)
        assign(self.units, lambda unit, of, index: of == block, FrameRecord(dirty=record.dirty, holds=record.holds))

    @operation
    def shatter(self, block: Block) -> None:
        """A block that was given out whole becomes small frames of its owner's, to be treated apart."""
        record = self.blocks[block]
        require(record.span == Span.WHOLE)
        assign(self.units, lambda unit, of, index: of == block, FrameRecord(record.owner, holds=record.holds))
        self.blocks[block] = BlockRecord(Span.SPLIT, used=used(self, block), leaving=record.leaving)

    @operation
    def merge(self, block: Block, vm: Vm) -> None:
        """All its frames are free: they are one again, as dirty as the dirtiest of them. It may hold any owner's, say this
        one's."""
        record = self.blocks[block]
        require(record.span == Span.SPLIT and self.is_free(record))
        self.blocks[block] = BlockRecord(Span.FREE, dirty=True, holds=vm, leaving=record.leaving)

    def is_free(self, record: BlockRecord) -> bool:
        return record.used == 0

    # ------------------------------------------------------------ small frames

    @operation
    def allocate(self, block: Block, vm: Vm) -> Given:
        if fails("frame"):
            return Given()
        index = self.take_unit(block, vm)
        return Given(True, vm, self.units[block, index].holds)

    def take_unit(self, block: Block, vm: Vm) -> Index:
        """A free frame of a split block, scrubbed if it needs to be."""
        record = self.blocks[block]
        require(record.span == Span.SPLIT and self.gives_from(record))
        index: Index = choose(Index, lambda index: self.units[block, index].owner == NOTHING)
        unit = self.units[block, index]
        self.units[block, index] = FrameRecord(vm, holds=self.scrubbed(unit.dirty, unit.holds))
        self.blocks[block] = attrs.evolve(record, used=record.used + 1)
        return index

    @operation
    def use(self, block: Block, index: Index) -> None:
        """Its owner stores to it."""
        unit = self.units[block, index]
        require(self.blocks[block].span == Span.SPLIT and unit.owner != NOTHING)
        self.units[block, index] = attrs.evolve(unit, holds=unit.owner)

    @operation
    def free(self, block: Block, index: Index) -> None:
        require(self.blocks[block].span == Span.SPLIT and self.units[block, index].owner != NOTHING)
        self.give_back(block, index)

    def give_back(self, block: Block, index: Index) -> None:
        """It keeps what it holds, and says so."""
        self.units[block, index] = FrameRecord(dirty=self.marks_dirty(), holds=self.units[block, index].holds)
        self.blocks[block] = attrs.evolve(self.blocks[block], used=self.blocks[block].used - 1)

    def marks_dirty(self) -> bool:
        return True

    # ------------------------------------------------------------ scrubbing when there is time

    @operation
    def scrub_block(self, block: Block) -> None:
        require(self.blocks[block].span == Span.FREE and self.blocks[block].dirty)
        self.blocks[block] = attrs.evolve(self.blocks[block], dirty=False, holds=NOTHING)

    @operation
    def scrub(self, block: Block, index: Index) -> None:
        unit = self.units[block, index]
        require(self.blocks[block].span == Span.SPLIT and unit.owner == NOTHING and unit.dirty)
        self.units[block, index] = FrameRecord()


def frames_of(s: Buddy, vm: Vm) -> int:
    """How many small frames a VM has."""
    return count(s.units, lambda unit, of, index: unit.owner == vm)


def used(s: Buddy, block: Block) -> int:
    """How many frames of a block are given out."""
    return count(s.units, lambda unit, of, index: of == block and unit.owner != NOTHING)
