"""Machine memory: who uses each frame, and what the frame holds.

A frame is free, private to one guest page, shared by several, a table of the monitor's own, on its way in from swap, or a pool's:
of compressed pages, or of pages kept for guests. Whoever takes a free frame finds in it whatever its last user left: scrubbing is
the business of those who hand frames to guests.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.language import NOTHING, Design, Total, choose, fails
from refmodel.machine.cells import Cells
from refmodel.machine.names import Block, Count, Gfn, Mfn, Vm


class Use(enum.Enum):
    FREE = "free"
    PRIVATE = "private"
    SHARED = "shared"
    TABLE = "table"
    READING = "being read from swap"
    POOL = "a pool's: compressed pages, or pages kept for guests"
    RETIRED = "retired"
    """Its page has left it, and a processor may not know yet."""


@attrs.frozen
class Frame:
    """The monitor's record of a machine frame: for a private one the page that maps it, for a table its VM."""

    use: Use = Use.FREE
    vm: Vm = NOTHING
    gfn: Gfn = NOTHING
    references: Count = 0
    """How many p2m entries lead to it."""


class FrameBlocks(Design):
    """Where frames make up larger ones."""

    block: Total[Mfn, Block]
    """The block that a frame is part of, if any: nothing writes to it."""

    arbitrary: ClassVar[tuple[str, ...]] = ("block",)


class Frames(Design):
    frames: Total[Mfn, Frame]
    memory: Total[Mfn, Cells]

    arbitrary: ClassVar[tuple[str, ...]] = ("memory",)  # nobody knows what memory holds at power-on

    def lacks_frame(self, vm: Vm, what: str = "frame") -> bool:
        """Whether no frame can be had for a VM."""
        return fails(what)

    def free_frame(self, vm: Vm) -> Mfn:
        """A free frame for a VM, any that it may have; ``NOTHING`` asks for one of the monitor's own."""
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn].use == Use.FREE and self.may_have(vm, mfn))
        return mfn

    def may_have(self, vm: Vm, mfn: Mfn) -> bool:
        """Whether a free frame may be given to a VM: it was promised to no other."""
        return True

    def may_be_shared(self, mfn: Mfn) -> bool:
        """Whether several pages may come to lie in a frame: it was promised to no VM for itself."""
        return True

    def release(self, mfn: Mfn) -> None:
        """One reference less; a frame that nothing refers to is free."""
        frame = self.frames[mfn]
        if frame.references > 1:
            self.frames[mfn] = attrs.evolve(frame, references=frame.references - 1)
        else:
            self.frames[mfn] = Frame()

    def scrubbed(self, mfn: Mfn) -> Cells:
        """What a free frame holds when a guest gets it."""
        return self.memory[mfn].scrubbed()
