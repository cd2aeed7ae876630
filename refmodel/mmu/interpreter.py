"""The interpreter: the monitor carries out every access itself, and no processor ever translates a guest's address.

It reads the guest's table where the p2m says that it lies, and then the page. There is nothing to install and nothing to flush, so
it is the simplest MMU that is right, and the one that the others are measured against; and the least efficient, since every
access is the monitor's work (Popek and Goldberg's interpretive routines, CACM 1974; a hybrid monitor runs so in supervisor mode
only).
"""

from refmodel.bare import BareMachine, Event, Reply, Seen
from refmodel.language import guest, require
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.control_registers import ControlRegisters
from refmodel.monitor.p2m import P2m, Supply


class GuestTables(P2m):
    """A guest's memory, as the monitor reads and writes it in the guest's name: the guest's tables lie there."""

    def emulate(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Reply:
        """An access to guest-physical memory. If the page cannot be had now, the guest is made to try again."""
        found = self.supply(vm, gfn, access == Access.WRITE)
        if found == Supply.HOLE:
            return Reply(Event.HOLE)
        if found == Supply.LATER:
            return Reply(Event.EXITED)
        return self.access_for_guest(vm, gfn, offset, access, value)

    def carried_out(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        """An access to guest-physical memory, with what the bare machine shows for it."""
        shown, write = self.emulate(vm, gfn, offset, access, value), access == Access.WRITE
        if shown.event == Event.EXITED:
            return Seen(gfn=gfn, write=write)
        return Seen(shown, self.bare_physical(vm, gfn, offset, access, value), gfn, write)

    def is_away(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a page, a table of the guest's for instance, is not where it could be read. Where there is no memory there is
        nothing to wait for."""
        return self.has_memory(vm, gfn) and not self.p2m[vm, gfn].mapped

    def lacks_table(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether a table of the guest's is away. It is asked for then, and the guest made to try again."""
        if not self.is_away(vm, gfn):
            return False
        self.supply(vm, gfn, write=False)
        return True

    def guest_cell(self, vm: Vm, gfn: Gfn, index: Index) -> Cell:
        """An entry of a guest's table, as its memory has it. Where there is no memory there are no entries."""
        table = self.p2m[vm, gfn]
        return self.memory[table.mfn][index] if table.mapped else Cell()


class PhysicalEmulation(GuestTables):
    """Accesses without paging, each carried out by the monitor."""

    def emulate_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        """An access while CR0.PG is clear: the linear address is guest-physical."""
        require(not self.paging[vm, vcpu].enabled)
        return self.carried_out(vm, gfn, offset, access, value)

    @guest
    def load_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index) -> Seen:
        return self.emulate_unpaged(vm, vcpu, gfn, offset, Access.READ, Cell())

    @guest
    def store_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.emulate_unpaged(vm, vcpu, gfn, offset, Access.WRITE, value)


class Emulation(PhysicalEmulation, BareMachine, ControlRegisters):
    """Emulates accesses of guests whose page tables have one level."""

    def guest_entry(self, vm: Vm, vcpu: Vcpu, page: Index) -> Cell:
        """The entry for a linear page."""
        return self.guest_cell(vm, self.paging[vm, vcpu].root, page)


class InterpreterMmu(Emulation):
    def interpret(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Seen:
        """An access by linear address. No translation is ever stale: the guest's table is read each time."""
        require(self.paging[vm, vcpu].enabled)
        root = self.paging[vm, vcpu].root
        if self.lacks_table(vm, root):
            return Seen(gfn=root)
        entry, bare_entry = self.guest_entry(vm, vcpu, page), self.bare_walk(vm, vcpu, page)
        if not permits(entry, access, self.paging[vm, vcpu].mode):
            return Seen(Reply(Event.PAGE_FAULT), self.bare_access(vm, vcpu, bare_entry, offset, access, value))
        shown, write = self.emulate(vm, entry.gfn, offset, access, value), access == Access.WRITE
        if shown.event == Event.EXITED:
            return Seen(gfn=entry.gfn, write=write)
        return Seen(shown, self.bare_access(vm, vcpu, bare_entry, offset, access, value), entry.gfn, write)

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Seen:
        return self.interpret(vm, vcpu, page, offset, Access.READ, Cell())

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Seen:
        return self.interpret(vm, vcpu, page, offset, Access.WRITE, value)

    @guest
    def fetch(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Seen:
        return self.interpret(vm, vcpu, page, offset, Access.FETCH, Cell())

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """INVLPG: there is nothing to forget."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """Does nothing: the interpreter caches no translations."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m that could be too permissive."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing is derived from the p2m."""
