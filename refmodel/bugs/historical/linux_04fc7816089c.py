"""Linux, commit 04fc7816089c: a compressed page was written to a swap slot that had been freed and reused.

The owner of the slot was checked before the page was expanded, and not afterwards.
"""

from refmodel.designs import CompressedPages
from refmodel.language import Total, operation, require
from refmodel.machine.cells import Cells
from refmodel.machine.names import Slot

ENTRY, CLAUSE = "D04", "EQV-1"


class Bug(CompressedPages):
    """A compressed page is expanded first, and later written to its swap slot even if the slot has been reused since."""

    geometry = CompressedPages.further_geometries[0]

    on_the_way: Total[Slot, Cells]
    begun: Total[Slot, bool]

    @operation
    def begin_writing_out(self, slot: Slot) -> None:
        require(self.pool[slot].stored)
        self.on_the_way[slot] = self.expanded(slot)
        self.begun[slot] = True

    @operation
    def finish_writing_out(self, slot: Slot) -> None:
        require(self.begun[slot])
        self.begun[slot] = False
        self.swap[slot] = self.on_the_way[slot]
        self.unpack(slot)
