"""The parts of addresses, where pages come in several sizes.

A guest frame number has two parts: the *region* that the next larger page would cover, and the place there. So has a machine frame
number: the *block* that a large page would fill, and the place there. Where there are three sizes, a region is a place in a larger
one in turn, and a block in a larger block. An address is one name all the same, and everything else speaks of pages as ever; what
its parts are is in tables that nothing writes to. Not every combination of parts needs to be an address, so whoever goes from parts
to addresses asks first (``is_covered``).
"""

from typing import ClassVar

from refmodel.language import NOTHING, Total
from refmodel.machine.names import Block, Gfn, Index, Mfn, Region
from refmodel.monitor.frames import FrameBlocks


class AddressParts(FrameBlocks):
    region: Total[Gfn, Region]
    at: Total[Gfn, Index]
    page_at: Total[tuple[Region, Index], Gfn]
    frame_at: Total[tuple[Block, Index], Mfn]

    arbitrary: ClassVar[tuple[str, ...]] = ("region", "at", "page_at", "frame_at")

    def is_covered(self, gfn: Gfn) -> bool:
        """Whether a guest frame number is the one that its parts make up, so that tables can hold it."""
        return self.region[gfn] != NOTHING and self.at[gfn] != NOTHING and self.page_at[self.region[gfn], self.at[gfn]] == gfn

    # ------------------------------------------------------------ sizes: with these answers there are two

    def larger(self, region: Region) -> Region:
        """The larger region that one lies in; ``NOTHING`` for one of the largest."""
        return NOTHING

    def larger_block(self, block: Block) -> Block:
        """The larger block that one lies in."""
        return NOTHING

    def smaller_block(self, region: Region, larger: Block) -> Block:
        """The block for a region, where the larger region that it lies in fills a larger block in order."""
        return NOTHING

    def lies_in(self, gfn: Gfn, region: Region) -> bool:
        """Whether a page is part of a region of any size."""
        return self.region[gfn] == region or self.larger(self.region[gfn]) == region

    def frame_in(self, block: Block, region: Region, gfn: Gfn) -> Mfn:
        """Where a page lies if a region that it is part of fills a block in order."""
        own = self.region[gfn]
        return self.frame_at[block if own == region else self.smaller_block(own, block), self.at[gfn]]


class ThreeSizes(AddressParts):
    within: Total[Region, Region]
    """The larger region that one lies in."""
    part: Total[Region, Index]
    """Its place there."""
    block_within: Total[Block, Block]
    block_at: Total[tuple[Block, Index], Block]

    arbitrary: ClassVar[tuple[str, ...]] = ("within", "part", "block_within", "block_at")

    def is_covered(self, gfn: Gfn) -> bool:
        """Nothing is larger than a region in which regions lie."""
        return super().is_covered(gfn) and self.within[self.within[self.region[gfn]]] == NOTHING

    def larger(self, region: Region) -> Region:
        return self.within[region]

    def larger_block(self, block: Block) -> Block:
        return self.block_within[block]

    def smaller_block(self, region: Region, larger: Block) -> Block:
        return self.block_at[larger, self.part[region]]
