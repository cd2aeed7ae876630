"""The bare machines of guests that are seen by guest-physical address only. (The others are in ``bare_machines``.)"""

from refmodel.bare import BareMemory, Reply
from refmodel.geometries import SMALL
from refmodel.language import Total, fails, guest, operation, require
from refmodel.machine.cells import Access, Cell, Cells
from refmodel.machine.names import Gfn, Index, Slot, Vm
from refmodel.monitor.tmem import Answer, Answered


class PhysicalMachine(BareMemory):
    """Memory alone, as guest-physical addresses show it. Memory comes and goes only as the guest asks, or as it is added."""

    geometry = SMALL

    @guest
    def load_physical(self, vm: Vm, gfn: Gfn, offset: Index) -> Reply:
        return self.bare_physical(vm, gfn, offset, Access.READ, Cell())

    @guest
    def store_physical(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Reply:
        return self.bare_physical(vm, gfn, offset, Access.WRITE, value)

    @operation
    def gain_page(self, vm: Vm, gfn: Gfn) -> None:
        """A page of zeroes is plugged in: at the machine's wish, or because the guest takes a page back."""
        require(not self.plugged[vm, gfn])
        self.plug(vm, gfn)

    @guest
    def discard_page(self, vm: Vm, gfn: Gfn) -> None:
        """The guest says that it does not need what a page holds: it finds zeroes there."""
        require(self.plugged[vm, gfn])
        self.plug(vm, gfn)

    @guest
    def lose_page(self, vm: Vm, gfn: Gfn) -> None:
        """The guest gives a page up."""
        require(self.plugged[vm, gfn])
        self.unplug(vm, gfn)


class TmemMachine(PhysicalMachine):
    """Memory alone, with a store of pages beside it, of which a page that is not owed may be lost at any time. (So whether it is
    found depends on no other VM; where others make it more or less likely, that is a channel.)"""

    put_last: Total[tuple[Vm, Slot], Cells]
    owed: Total[tuple[Vm, Slot], bool]

    @guest
    def put(self, vm: Vm, slot: Slot, gfn: Gfn, persistent: bool) -> Answered:
        """Hand over a copy of a page, which the store may refuse. It has no other page under this handle then."""
        if not self.plugged[vm, gfn] or fails("page"):
            return Answered(Answer.LATER, vm, slot)
        self.put_last[vm, slot] = self.bare_memory[vm, gfn]
        self.owed[vm, slot] = False
        if fails("room"):
            return Answered(Answer.REFUSED, vm, slot)
        self.owed[vm, slot] = persistent
        return Answered(Answer.TAKEN, vm, slot)

    @guest
    def get(self, vm: Vm, slot: Slot, gfn: Gfn) -> Answered:
        """Have a page that was handed over copied to one of the guest's. What is owed is found."""
        if not self.plugged[vm, gfn] or fails("page"):
            return Answered(Answer.LATER, vm, slot)
        if not self.owed[vm, slot] and fails("found"):
            return Answered(Answer.MISSED, vm, slot)
        self.bare_memory[vm, gfn] = self.put_last[vm, slot]
        return Answered(Answer.FOUND, vm, slot)

    @guest
    def flush_page(self, vm: Vm, slot: Slot) -> Answered:
        """What is kept under a handle is owed no more."""
        self.owed[vm, slot] = False
        return Answered(Answer.FLUSHED, vm, slot)
