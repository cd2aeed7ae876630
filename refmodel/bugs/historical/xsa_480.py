"""XSA-480, CVE-2026-23554 (Xen; xen.git 4bc2e5333abb): a table was free before the flush that had been put off.

A processor could still walk it by its paging-structure cache, when it was somebody else's.
"""

from refmodel.designs import EptLarge
from refmodel.machine.names import Region, Table, Vm

ENTRY, CLAUSE = "A06", "ISO-3"


class Bug(EptLarge):
    """A table that is unlinked is free at once."""

    def unlink(self, table: Table, vm: Vm, region: Region) -> None:
        self.free(table)
