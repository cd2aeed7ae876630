"""Copies to a guest's memory: the monitor itself stores there because the guest asked for it.

A hypercall's results, a clock page, a debugger's breakpoint: the monitor stores by its own mapping of machine memory, which no
entry of the guest's stands in the way of. So it has to ask for the page as any MMU does, for writing, and must take nothing else
for proof that the frame is the guest's own (Linux 5535be309971 took the dirty flag).
"""

from typing import ClassVar

from refmodel.bare import Event, Reply, Seen
from refmodel.language import guest
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.monitor.p2m import P2m, Supply


class GuestCopies(P2m):
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"copy_to_guest": ("store_physical",)}

    @guest
    def copy_to_guest(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        """A hypercall whose result is one cell, at a guest-physical address."""
        found = self.ready_to_copy(vm, gfn)
        if found == Supply.LATER:
            return Seen(gfn=gfn, write=True)
        if found == Supply.HOLE:
            return Seen(Reply(Event.HOLE), self.bare_physical(vm, gfn, offset, Access.WRITE, value))
        shown = self.access_for_guest(vm, gfn, offset, Access.WRITE, value)
        return Seen(shown, self.bare_physical(vm, gfn, offset, Access.WRITE, value))

    def ready_to_copy(self, vm: Vm, gfn: Gfn) -> Supply:
        """Whether the frame can be written to."""
        return self.supply(vm, gfn, write=True)
