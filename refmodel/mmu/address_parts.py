"""The parts of addresses, where pages come in two sizes.

A guest frame number has two parts: the *region* that a large page would cover, and the place there. So has a machine frame number:
the *block* that a large page would fill, and the place there. An address is one name all the same, and everything else speaks of
pages as ever; what its parts are is in tables that nothing writes to. Not every combination of parts needs to be an address, so
whoever goes from parts to addresses asks first (``is_covered``).
"""

from typing import ClassVar

from refmodel.language import NOTHING, Design, Total
from refmodel.machine.names import Block, Gfn, Index, Mfn, Region


class AddressParts(Design):
    region: Total[Gfn, Region]
    at: Total[Gfn, Index]
    page_at: Total[tuple[Region, Index], Gfn]
    block: Total[Mfn, Block]
    frame_at: Total[tuple[Block, Index], Mfn]

    arbitrary: ClassVar[tuple[str, ...]] = ("region", "at", "page_at", "block", "frame_at")

    def is_covered(self, gfn: Gfn) -> bool:
        """Whether a guest frame number is the one that its parts make up, so that tables can hold it."""
        return self.region[gfn] != NOTHING and self.at[gfn] != NOTHING and self.page_at[self.region[gfn], self.at[gfn]] == gfn
