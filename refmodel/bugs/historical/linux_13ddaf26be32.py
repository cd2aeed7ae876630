"""Linux, commit 13ddaf26be32 (CVE-2024-26759): two readers of one swap slot, and the later one installed what it had read long ago.

"The entry still names this slot" proved nothing: the page had come in, been written to, and gone out to the same slot again.
"""

from refmodel.designs import Memory
from refmodel.machine.names import Slot

ENTRY, CLAUSE = "A24", "EQV-1"


class Bug(Memory):
    """A swap slot that is already being read is read a second time."""

    def may_read(self, slot: Slot) -> bool:
        return True
