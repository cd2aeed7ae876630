"""The most that any MMU may do: what every real one refines. There are several, since flushes are at once or are acknowledged by
each processor in its own time, guests have paging or have not, and a monitor may carry accesses out itself.

There are no tables and no caches here. An access goes where the p2m says, or where a page lay before its flush has ended, or it
exits; which of these, nobody knows. An MMU may take frames for tables of its own whenever it is told something, and gives them back
when it likes. So whatever a mechanism keeps over this one, it keeps over every MMU whose steps are steps of this one
(``proofs/refinement.py`` has those for which that is a theorem).

``contract_caches`` has tables that a reader can look at, and says when an access does not exit. This one says less, so that more
MMUs refine it.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Event, Reply, Seen
from refmodel.language import NOTHING, cached, guest, operation, pending, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.acknowledged import StalePages
from refmodel.mmu.control_registers import ControlRegisters
from refmodel.mmu.interpreter import GuestTables
from refmodel.mmu.replies import Handled, Result
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import P2m, Supply


class AnyProcessor(P2m):
    """What a guest does on a processor that may have cached anything that is not flushed yet."""

    def execute(self, vm: Vm, cpu: Cpu, full: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        """``cpu``: the processor, for an MMU that says which it is. ``full``: the vCPU whose page-modification log is full, if the
        access exits because of that."""
        on: Cpu = cpu if cached("processor") else NOTHING
        write, fetch = access == Access.WRITE, access == Access.FETCH and on != NOTHING
        if not cached("translation"):
            return Seen(gfn=gfn, write=write, cpu=on, fetch=fetch, full=full if cached("full log") else NOTHING)
        mfn: Mfn = self.p2m[vm, gfn].mfn if cached("current translation") else self.stale_of(vm, gfn).mfn
        require(self.may_translate(vm, gfn, mfn, write))
        due = self.bare_physical(vm, gfn, offset, access, value)
        return Seen(self.touch(mfn, offset, access, value), due, gfn, write, on, fetch)

    @guest
    def load_physical(self, vm: Vm, cpu: Cpu, full: Vcpu, gfn: Gfn, offset: Index) -> Seen:
        return self.execute(vm, cpu, full, gfn, offset, Access.READ, Cell())

    @guest
    def store_physical(self, vm: Vm, cpu: Cpu, full: Vcpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute(vm, cpu, full, gfn, offset, Access.WRITE, value)

    @guest
    def fetch_physical(self, vm: Vm, cpu: Cpu, full: Vcpu, gfn: Gfn, offset: Index) -> Seen:
        return self.execute(vm, cpu, full, gfn, offset, Access.FETCH, Cell())


class AnyLinearProcessor(AnyProcessor, ControlRegisters):
    """An MMU that may do whatever a correct one may do, for guests with paging: an access by linear address goes to some page,
    faults if the guest's tables may ask for it, or exits, perhaps for one of those tables."""

    def bare_flush(self, vm: Vm, vcpu: Vcpu) -> None:
        """No translation of a linear address is kept here."""

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """Does nothing: no translation of a linear address is kept here."""

    def execute_linear(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        if cached("page fault"):
            return Seen(Reply(Event.PAGE_FAULT), Reply(Event.PAGE_FAULT))
        if cached("exit for a table"):
            return Seen(gfn=gfn)
        if cached("exit for no page"):  # an entry of the guest's names none
            return Seen(write=cached("exit at the end of a store's walk"))
        return self.execute(vm, NOTHING, NOTHING, gfn, offset, access, value)

    @guest
    def load(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return self.execute_linear(vm, gfn, offset, Access.READ, Cell())

    @guest
    def store(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute_linear(vm, gfn, offset, Access.WRITE, value)

    @guest
    def fetch(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return self.execute_linear(vm, gfn, offset, Access.FETCH, Cell())

    @guest
    def load_unpaged(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return self.execute(vm, NOTHING, NOTHING, gfn, offset, Access.READ, Cell())

    @guest
    def store_unpaged(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute(vm, NOTHING, NOTHING, gfn, offset, Access.WRITE, value)


class CarriedOut(AnyLinearProcessor, GuestTables):
    """A processor where the monitor may carry an access out, as an interpreter does with each. It has the page supplied for that,
    or a table of the guest's; if one cannot be had now, the guest tries again."""

    def execute(self, vm: Vm, cpu: Cpu, full: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        if not cached("the monitor carries it out"):
            return super().execute(vm, cpu, full, gfn, offset, access, value)
        return self.carried_out(vm, gfn, offset, access, value)

    def execute_linear(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        if cached("a table is away"):
            self.supply(vm, gfn, write=False)
            return Seen(gfn=gfn)
        if cached("no page"):  # an entry of the guest's names none
            return Seen(Reply(Event.HOLE), Reply(Event.HOLE), write=access == Access.WRITE)
        return super().execute_linear(vm, gfn, offset, access, value)


class AnyTables(P2m):
    """What a monitor does for an MMU whose tables nobody knows."""

    steps: ClassVar[dict[str, tuple[str, ...]]] = {
        "derive": ("load_physical",),
        "ept_violation": ("load_physical",),
        "guest_page_fault": ("load_physical",),
    }

    @operation
    def derive(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        """An exit, or a guess: have the page supplied. (The next two are the same, by the names that real MMUs have for it.)"""
        return self.serve(vm, gfn, write)

    @operation
    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        return self.serve(vm, gfn, write)

    @operation
    def guest_page_fault(self, vm: Vm, gfn: Gfn) -> Handled:
        return self.serve(vm, gfn, cached("a store"))

    def serve(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        """Once a page is supplied, the MMU derives a translation. That may take frames for tables, and fail for want of one."""
        found = self.supply(vm, gfn, write)
        if found == Supply.HOLE:
            return Handled(Result.HOLE, vm, gfn, write)
        if found == Supply.LATER:
            return Handled(Result.FAILED, vm, gfn, write)
        if self.may_take_table(vm):
            self.may_take_table(vm)  # entries of three sizes take two
        return Handled(Result.FAILED if cached("no table") else Result.INSTALLED, vm, gfn, write)

    @operation
    def new_root(self, vm: Vm) -> None:
        """The MMU takes a free frame for a table of a VM's."""
        self.may_take_table(vm)

    @operation
    def split(self, vm: Vm) -> None:
        """A large entry is split, which may take a free frame for a table."""
        self.may_take_table(vm)

    @operation
    def free_table(self, table: Mfn) -> None:
        """The MMU needs a table no more."""
        self.give_back(table)

    @operation
    def free_root(self, mfn: Mfn) -> None:
        """The MMU frees a root table."""
        self.give_back(mfn)

    def give_back(self, table: Mfn) -> None:
        require(self.frames[table].use == Use.TABLE)
        self.release(table)

    def may_take_table(self, vm: Vm) -> bool:
        """Whether the MMU takes a frame for a table: if it wants one, and one can be had."""
        if not cached("a table is wanted") or self.lacks_frame(vm, "table frame"):
            return False
        self.frames[self.free_frame(vm)] = Frame(Use.TABLE, vm)
        return True

    def is_table(self, mfn: Mfn) -> bool:
        return self.frames[mfn].use == Use.TABLE

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.may_take_table(vm)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.may_take_table(vm)


class AbstractMmu(StalePages, AnyProcessor, AnyTables):
    """Both, over which mechanisms wait for flushes."""

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        """Nobody knows when processors acknowledge: any time will do."""
        return True

    @pending("EFF-4", "A page's flush can end, and the frame that the page left is then released.", until="finish_flush")
    def flush_not_finished(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.is_flushed(vm, gfn)


class AbstractPagingMmu(AnyLinearProcessor, AbstractMmu):
    """Flushes that take time, under guests with paging."""


class AbstractAtOnceMmu(AnyLinearProcessor, AnyTables):
    """Both, and guests with paging, over which mechanisms find every page flushed at once."""

    @guest
    def vmresume(self, vm: Vm, vcpu: Vcpu, l2: Vcpu, root: Gfn) -> None:
        """A guest enters a guest of its own, which runs as another vCPU."""
        self.paging[vm, l2] = attrs.evolve(self.paging[vm, l2], enabled=True, root=root)

    @operation
    def reclaim_table(self, table: Mfn) -> None:
        """The MMU takes a table back: entries can always be made again."""
        self.give_back(table)

    @operation
    def merge(self, table: Mfn) -> None:
        """A table is freed because a larger entry takes its place."""
        self.give_back(table)


class AbstractEmulatingMmu(CarriedOut):
    """An MMU whose tables lie in memory of the monitor's own: the monitor may carry accesses out, or is asked for pages by a page
    fault. So are shadow MMUs, and L0 of a nested MMU, whose L2 is a guest like another here."""

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"ept_violation": ("load_unpaged",), "page_fault": ("load",)}

    @operation
    def page_fault(self, vm: Vm, gfn: Gfn, access: Access) -> Handled:
        """A page fault that is not the guest's own: it leads to no page, or one is supplied."""
        write = access == Access.WRITE
        if cached("no page"):
            return Handled(Result.HOLE, vm, NOTHING, write)
        if cached("a table is away"):
            self.supply(vm, gfn, write=False)
            return Handled(Result.FAILED, vm, gfn, write)
        return self.ept_violation(vm, gfn, write)

    @guest
    def access(self, vm: Vm) -> Seen:
        """A page fault that is the guest's own, and is given back to it."""
        return Seen(Reply(Event.PAGE_FAULT), Reply(Event.PAGE_FAULT))

    @guest
    def access_l2(self, vm: Vm) -> Seen:
        """An EPT violation of L2 that L0 reflects to L1."""
        return self.access(vm)

    @operation
    def nested_ept_violation(self, vm: Vm, gfn: Gfn, access: Access) -> Handled:
        """An EPT violation of L2 that L0 serves itself."""
        return self.page_fault(vm, gfn, access)

    @operation
    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        """An exit for a guest-physical page: have it supplied."""
        found = self.supply(vm, gfn, write)
        if found == Supply.HOLE:
            return Handled(Result.HOLE, vm, gfn, write)
        return Handled(Result.FAILED if found == Supply.LATER else Result.INSTALLED, vm, gfn, write)

    @guest
    def set_flags(self, vm: Vm, gfn: Gfn, upper: Index, page: Index) -> None:
        """The monitor marks an entry of a guest's table as used, as both machines do; or has the table's page supplied first."""
        if cached("a table is away"):
            self.supply(vm, gfn, write=cached("to be marked"))
            return
        require(self.lets_through(vm, gfn, write=True))
        index: Index = upper if cached("the upper entry") else page
        cell = self.memory[self.p2m[vm, gfn].mfn][index]
        marked = attrs.evolve(cell, accessed=True, dirty=cell.dirty or cached("a store"))
        self.access_for_guest(vm, gfn, index, Access.WRITE, marked)
        self.bare_memory[vm, gfn] = self.bare_memory[vm, gfn].put(index, marked)

    @guest
    def load_l2(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return self.execute_linear(vm, gfn, offset, Access.READ, Cell())

    @guest
    def store_l2(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute_linear(vm, gfn, offset, Access.WRITE, value)

    @guest
    def fetch_l2(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return self.execute_linear(vm, gfn, offset, Access.FETCH, Cell())

    @guest
    def vmsave(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return self.execute_linear(vm, gfn, offset, Access.WRITE, Cell())

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """No translation is kept that a flush would have to end."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """Does nothing: no translation is kept that a flush would have to end."""
