"""KVM, commit 93a423e7045c: no remote flush when a large entry gave way to a table.

Another processor went on writing through the large entry to a page that had been write-protected.
"""

from refmodel.designs import EptLarge
from refmodel.machine.names import Index, Region, Vm

ENTRY, CLAUSE = "B09", "ISO-1"


class Bug(EptLarge):
    """Nothing is flushed when a large mapping is split. A page without a small entry is not flushed either, when it goes."""

    def flush_after_split(self, vm: Vm) -> None:
        """Nothing."""

    def zap(self, vm: Vm, region: Region, page: Index) -> None:
        if self.lower[self.upper[vm, region].table, page].mapped:
            super().zap(vm, region, page)
