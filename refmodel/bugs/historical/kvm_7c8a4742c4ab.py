"""KVM, commit 7c8a4742c4ab: an SPTE that was read-only for the dirty log was not write-protected again when its page became a
table.

The fast page fault then made the SPTE writable, and the table's shadow missed the guest's stores.
"""

from refmodel.designs import WriteProtection
from refmodel.machine.names import Gfn
from refmodel.mmu.write_protection import Spte

ENTRY, CLAUSE = "A15", "EQV-5"


class Bug(WriteProtection):
    """When a page becomes a table, an SPTE that is already read-only is left MMU-writable."""

    def write_protect_table(self, gfn: Gfn) -> None:
        entry = self.sptes[gfn]
        if entry.present and entry.writable:
            self.note_dirty(gfn, entry)
            self.sptes[gfn] = Spte(True, False, False)
            self.flush(gfn)
