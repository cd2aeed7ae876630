"""CVE-2022-1158 (KVM, commit 2a8859f373b0): where to set an accessed flag was computed, not looked up.

The guest's page was taken to lie as far into the mapping as its number says. What lay there could be anybody's.
"""

from refmodel.designs import ShadowRoles
from refmodel.language import NOTHING
from refmodel.machine.names import Gfn, Mfn, Vm

ENTRY, CLAUSE = "A09", "ISO-5"


class Bug(ShadowRoles):
    """To set a flag in a guest table, the monitor computes the table's frame from its gfn instead of looking up the frame."""

    def frame_of(self, vm: Vm, gfn: Gfn) -> Mfn:
        return self.guess[vm, gfn] if self.guess[vm, gfn] != NOTHING else self.host[vm, gfn]
