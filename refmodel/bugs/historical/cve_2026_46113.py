"""CVE-2026-46113 (KVM, commit 0cb2af2ea66a): a direct shadow page was used again for another region than it was made for.

Its entries stood in the reverse map under one page and were taken out under another, so that the map led to entries long gone.
"""

from refmodel.designs import ShadowLarge
from refmodel.machine.names import Index, Region, Vm

ENTRY, CLAUSE = "A14", "RES-1"


class Bug(ShadowLarge):
    """A direct table that is there is used, whatever region it was made for."""

    def usable(self, vm: Vm, slot: Index, region: Region) -> bool:
        return self.direct[vm, slot].present
