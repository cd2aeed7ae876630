"""XSA-438, CVE-2023-34322 (Xen; xen.git fb0ff49fe9f7): a root table could be reclaimed before the processor had loaded the next
root.
"""

from refmodel.designs import EptCpus
from refmodel.machine.names import Mfn

ENTRY, CLAUSE = "A13", "ISO-3"


class Bug(EptCpus):
    """A table is freed when its VM gets another table, although a processor may still have the old table loaded."""

    def give_up(self, root: Mfn) -> None:
        self.free_table(root)
