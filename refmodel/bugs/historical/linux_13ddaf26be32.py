"""Linux, commit 13ddaf26be32 (CVE-2024-26759): a swap slot had two readers, and the slower reader installed contents that it had
read long before.

The check "the entry still names this slot" proved nothing: the page had been read in, stored to, and swapped out to the same slot.
"""

from refmodel.designs import Memory
from refmodel.machine.names import Slot

ENTRY, CLAUSE = "A24", "EQV-1"


class Bug(Memory):
    """A swap slot that is already being read is read a second time."""

    def may_read(self, slot: Slot) -> bool:
        return True
