"""Machine memory in a buddy allocator: blocks are split into frames, merged, scrubbed, added and removed.

A *block* is a large frame. While it is free in one piece no frame of it is used. It is *split* before frames of it are given out,
and *merged* when all of them are free again (the buddy system: Knowlton, CACM 1965; Xen's and Linux's ``page_alloc.c``).

What a frame held must not reach its next owner. It is scrubbed when that one gets it, or before, when there is time (Xen's
``need_scrub``); then it is known to be *clean*, until it is used.

Blocks come and go while the machine runs. To *remove* one, nothing more is given out from it, and pages that lie in it are *moved*
to frames elsewhere, which their guests cannot notice: they hold what they held, and nobody reaches the old frame any more. A page
that a device holds cannot be moved before it is let go. When a block is free in one piece it can be removed. What an added block
holds nobody knows, so none of its frames is clean.
"""

import enum

import attrs

from refmodel.language import NOTHING, Total, count, operation, pending, require, reset
from refmodel.machine.cells import Cell, Cells
from refmodel.machine.names import Block, Gfn, Index, Mfn, Vm
from refmodel.monitor.frames import Frame, FrameBlocks, Use
from refmodel.monitor.p2m import P2m


class Span(enum.Enum):
    """What has become of a block."""

    WHOLE = "free in one piece"
    SPLIT = "split into frames"
    OFFLINE = "not there"


@attrs.frozen
class BlockState:
    span: Span = Span.WHOLE
    leaving: bool = False
    """It is to be removed: nothing is given out from it."""


@attrs.frozen
class Moved:
    """A page was moved from one frame to another, or there was none for it."""

    vm: Vm
    gfn: Gfn
    moved: bool


@attrs.frozen
class MemoryAdded:
    """A block was plugged in."""

    block: Block


class Buddy(FrameBlocks, P2m):
    block_states: Total[Block, BlockState]
    known_clean: Total[Mfn, bool]
    """Whether a free frame is known to hold zeroes."""

    # ------------------------------------------------------------ blocks

    @operation
    def split_block(self, block: Block) -> None:
        require(self.block_states[block].span == Span.WHOLE)
        self.block_states[block] = attrs.evolve(self.block_states[block], span=Span.SPLIT)

    @operation
    def merge_block(self, block: Block) -> None:
        """All its frames are free: they are one again."""
        require(self.block_states[block].span == Span.SPLIT)
        require(self.is_free(block))
        self.block_states[block] = attrs.evolve(self.block_states[block], span=Span.WHOLE)

    def is_free(self, block: Block) -> bool:
        return count(self.frames, lambda frame, mfn: self.block[mfn] == block and frame.use != Use.FREE) == 0

    def may_have(self, vm: Vm, mfn: Mfn) -> bool:
        return self.gives_from(self.block[mfn]) and super().may_have(vm, mfn)

    def gives_from(self, block: Block) -> bool:
        """Whether frames of a block are given out. (One that is in no block is given out by itself.)"""
        state = self.block_states[block]
        return block == NOTHING or (state.span == Span.SPLIT and not state.leaving)

    # ------------------------------------------------------------ memory comes and goes

    @operation
    def add_memory(self, block: Block) -> MemoryAdded:
        """A block is plugged in."""
        require(self.block_states[block].span == Span.OFFLINE)
        self.block_states[block] = BlockState()
        self.forget_what_is_clean(block)
        return MemoryAdded(block)

    @operation
    def fill_while_absent(self, mfn: Mfn, offset: Index, value: Cell) -> None:
        """Frames that are not there may come back with any contents."""
        require(self.block_states[self.block[mfn]].span == Span.OFFLINE)
        self.memory[mfn] = self.memory[mfn].put(offset, value)

    def forget_what_is_clean(self, block: Block) -> None:
        reset(self.known_clean, lambda clean, mfn: self.block[mfn] == block)

    @operation
    def begin_removing(self, block: Block) -> None:
        require(self.block_states[block].span != Span.OFFLINE)
        require(not self.block_states[block].leaving)
        self.block_states[block] = attrs.evolve(self.block_states[block], leaving=True)

    @operation
    def call_removing_off(self, block: Block) -> None:
        require(self.block_states[block].leaving)
        self.block_states[block] = attrs.evolve(self.block_states[block], leaving=False)

    @pending(
        "EFF-4", "A block that is marked for removal, and is free and not split into frames, can be removed.", until="remove_memory"
    )
    def block_not_removed(self, block: Block) -> bool:
        return self.block_states[block] == BlockState(Span.WHOLE, leaving=True)

    @operation
    def remove_memory(self, block: Block) -> None:
        require(self.block_states[block].leaving)
        require(self.block_states[block].span == Span.WHOLE)
        self.block_states[block] = BlockState(Span.OFFLINE)

    @operation
    def move_page(self, vm: Vm, gfn: Gfn) -> Moved:
        """A page that lies in a block that is to be removed moves to a frame elsewhere, which is its own."""
        entry = self.p2m[vm, gfn]
        require(self.may_move(vm, gfn))
        if self.lacks_frame(vm):
            return Moved(vm, gfn, moved=False)
        self.forget_and_wait(vm, gfn)  # which may take a frame for a table, where a large entry maps the page
        mfn = self.free_frame(vm)
        self.copy_page(entry.mfn, mfn)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = attrs.evolve(entry, mfn=mfn)
        self.release(entry.mfn)
        return Moved(vm, gfn, moved=True)

    def copy_page(self, source: Mfn, target: Mfn) -> None:
        self.memory[target] = self.memory[source]

    def may_move(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.block_states[self.block[self.p2m[vm, gfn].mfn]].leaving and not self.held(vm, gfn)

    # ------------------------------------------------------------ scrubbing when there is time

    @operation
    def scrub(self, mfn: Mfn) -> None:
        """A free frame is scrubbed ahead of time."""
        require(self.frames[mfn].use == Use.FREE)
        require(not self.known_clean[mfn])
        self.memory[mfn] = self.memory[mfn].scrubbed()
        self.known_clean[mfn] = True

    def scrubbed(self, mfn: Mfn) -> Cells:
        return self.memory[mfn] if self.known_clean[mfn] else super().scrubbed(mfn)

    def release(self, mfn: Mfn) -> None:
        """What was used is clean no more."""
        super().release(mfn)
        self.known_clean[mfn] = False
