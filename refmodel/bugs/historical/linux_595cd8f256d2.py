"""Linux, commit 595cd8f256d2: KSM took a page for write-protected that was only access-tracked, with its write permission saved.

The next access restored the write permission, to a frame that several pages share by then.
"""

from refmodel.designs import Memory
from refmodel.machine.names import Gfn, Vm

ENTRY, CLAUSE = "A20", "ISO-2"


class Bug(Memory):
    """A page that is withdrawn for access tracking is merged, and keeps the write permission that it will get back."""

    def seal(self, vm: Vm, gfn: Gfn) -> None:
        if self.p2m[vm, gfn].mapped:
            self.withdraw_write(vm, gfn)
