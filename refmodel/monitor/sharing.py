"""Content-based sharing as in ESX: guest pages with equal contents share one machine frame (Waldspurger, OSDI 2002, section 4).

Merging costs a guest nothing it can see. Which two pages to look at is guessed from hashes of what they held some time ago,
*hints*, that may be out of date or collide; so a guess proves nothing here, any two pages may be proposed, and they are merged
when they have been compared. The price is paid on the first write (``copy_on_write``).
"""

from refmodel.language import operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.copy_on_write import CopyOnWrite
from refmodel.monitor.frames import Use


class Sharing(CopyOnWrite):
    @operation
    def share(self, vm: Vm, gfn: Gfn, other_vm: Vm, other_gfn: Gfn) -> None:
        """Merge two pages that hold the same into one read-only frame, and free the other's."""
        keep, drop = self.p2m[vm, gfn], self.p2m[other_vm, other_gfn]
        require(keep.resident)
        require(drop.resident)
        require(not self.held(vm, gfn))
        require(not self.held(other_vm, other_gfn))
        require(self.frames[drop.mfn].use == Use.PRIVATE)  # its sole user, so that its frame can go
        require(keep.mfn != drop.mfn)  # not merged already
        require(self.may_join(keep.mfn))
        require(self.may_be_shared(keep.mfn))
        self.seal(vm, gfn)
        self.seal(other_vm, other_gfn)
        require(self.alike(keep.mfn, drop.mfn))
        self.join(other_vm, other_gfn, keep.mfn)

    def seal(self, vm: Vm, gfn: Gfn) -> None:
        """Nobody writes to the page, nor will when it is idle and comes back."""
        self.protect_and_wait(vm, gfn)
