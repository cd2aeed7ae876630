"""CVE-2022-1158 (KVM, commit 2a8859f373b0): the host address of a guest PTE was computed, and not looked up, when KVM set an
accessed flag.

KVM assumed that the guest's page lies at its gfn's offset in the host mapping. The frame there could belong to any process.
"""

from refmodel.designs import ShadowRoles
from refmodel.language import NOTHING
from refmodel.machine.names import Gfn, Mfn, Vm

ENTRY, CLAUSE = "A09", "ISO-5"


class Bug(ShadowRoles):
    """To set a flag in a guest table, the monitor computes the table's frame from its gfn instead of looking up the frame."""

    def frame_of(self, vm: Vm, gfn: Gfn) -> Mfn:
        return self.guess[vm, gfn] if self.guess[vm, gfn] != NOTHING else self.host[vm, gfn]
