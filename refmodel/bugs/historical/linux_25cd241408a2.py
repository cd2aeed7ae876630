"""Linux, commit 25cd241408a2: zswap dropped a compressed page when it was read, although the page was not mapped yet.

If the fault had to be retried, the page that had been read was freed, and no other copy existed.
"""

from refmodel.designs import CompressedPages
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.p2m import Backing, Supply

ENTRY, CLAUSE = "C11", "EQV-1"


class Bug(CompressedPages):
    """A compressed page is dropped from the pool when it is needed, even if no frame is free for its contents."""

    geometry = CompressedPages.further_geometries[0]

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        found, entry = super().bring(vm, gfn), self.p2m[vm, gfn]
        if found == Supply.LATER and entry.backing == Backing.SWAPPED:
            self.unpack(entry.slot)
        return found
