"""XSA-480, CVE-2026-23554 (Xen; xen.git 4bc2e5333abb): a table was freed before its deferred flush.

A processor could still walk the table by its paging-structure cache when the frame belonged to another owner.
"""

from refmodel.designs import EptTwoSizesAcknowledged
from refmodel.machine.names import Mfn
from refmodel.mmu.ept_sizes import EptSizesMmu

ENTRY, CLAUSE = "A06", "ISO-3"


class Bug(EptTwoSizesAcknowledged):
    """A table that is no longer linked is freed at once."""

    def give_up_table(self, table: Mfn) -> None:
        EptSizesMmu.give_up_table(self, table)
