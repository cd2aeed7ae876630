"""A user's own design: Ept with another way to write-protect a page that comes to be shared.

Instead of taking the right to write from the installed entry, it takes the whole entry away, and lets the next access bring it
back. ``ZapToProtect`` does that; ``ZapLazily`` forgets that processors remember.
"""

from refmodel.designs import Ept
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.ept import EptEntry


class ZapToProtect(Ept):
    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.forget(vm, gfn)


class ZapLazily(Ept):
    def protect(self, vm: Vm, gfn: Gfn) -> None:
        eptp = self.eptp[vm]
        if eptp.present:
            self.ept[eptp.mfn, gfn] = EptEntry()  # and no INVEPT
