"""XSA-148, CVE-2015-7835 (Xen; xen.git fe360c90ea13): the fast path of a level 2 update compared too few bits.

An entry that kept its address but became a superpage or writable was not checked again, so that a guest mapped its own tables
writable.
"""

from refmodel.designs import Direct
from refmodel.mmu.direct import MachineWord

ENTRY, CLAUSE = "A01", "ISO-3"


class Bug(Direct):
    """The fast path of a table update compares only the present bit and the address, so an entry becomes a superpage unchecked."""

    def alike(self, old: MachineWord, new: MachineWord) -> bool:
        return old.present == new.present and old.mfn == new.mfn
