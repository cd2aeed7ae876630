"""CVE-2016-5195 (Linux, commit 19be0eaffa3a): a write by get_user_pages first broke sharing, and then looked up the page as for a
read.

Between the two steps, the private copy could be dropped and replaced by the shared page.
"""

from refmodel.bare import Seen
from refmodel.language import Total, guest, operation, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.guest_copies import GuestCopies
from refmodel.monitor.p2m import Supply
from refmodel.monitor.sharing import Sharing
from refmodel.points import over

ENTRY, CLAUSE = "C05", "ISO-2"


class Bug(GuestCopies, Sharing, ContractMmu):
    """A copy to a guest first breaks sharing. Its later store only checks that the page is present, and not that the page is still
    writable."""

    geometry = over("any", ("sharing", "guest-copies")).geometry

    unshared: Total[tuple[Vm, Gfn], bool]
    """Whether a copy has seen to it that a page is in a frame of its own."""

    @operation
    def prepare_copy(self, vm: Vm, gfn: Gfn) -> None:
        require(self.ready_to_copy(vm, gfn) == Supply.READY)
        self.unshared[vm, gfn] = True

    @guest
    def copy_to_guest(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        require(self.unshared[vm, gfn] and self.supply(vm, gfn, write=False) == Supply.READY)
        self.unshared[vm, gfn] = False
        shown = self.access_for_guest(vm, gfn, offset, Access.WRITE, value)
        return Seen(shown, self.bare_physical(vm, gfn, offset, Access.WRITE, value))
