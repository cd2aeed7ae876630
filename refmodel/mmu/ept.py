"""Extended page tables: the hardware translates twice, and the monitor is called only for what is missing.

Each VM has a table of its own, kept in a machine frame whose address is the EPTP. It starts empty; an access that
finds nothing there, or not enough, exits with an EPT violation, and the handler installs what the p2m says. Ordinary
accesses then run without the monitor. (SDM Vol. 3C 28.3. The table has one level here: the geometry's choice.)
"""

from typing import ClassVar

import attrs

from refmodel.bare import BareMachine, Event, Reply, Seen
from refmodel.language import NOTHING, Total, cached, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell, permits
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.machine.translation_caches import CombinedMapping, PhysicalMapping, TranslationCaches, allows
from refmodel.mmu.control_registers import ControlRegisters
from refmodel.mmu.replies import Handled, Result, TableGone
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import P2m, Supply


@attrs.frozen
class Eptp:
    """The EPT pointer of a VM: where its table is, if it has one."""

    present: bool = False
    mfn: Mfn = NOTHING


@attrs.frozen
class EptEntry:
    """R (and X with it) and W, and the frame."""

    present: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


class EptMmu(P2m, BareMachine, TranslationCaches, ControlRegisters):
    eptp: Total[Vm, Eptp]
    ept: Total[tuple[Mfn, Gfn], EptEntry]
    """The entries of each table frame. A frame that is no table holds none."""

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"ept_violation": ("load_physical",)}

    # ------------------------------------------------------------ the hardware

    def installed(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether the EPT gives this access, so that it needs no exit."""
        eptp = self.eptp[vm]
        entry = self.ept[eptp.mfn, gfn]
        return eptp.present and entry.present and (entry.writable or not write)

    def translate(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> PhysicalMapping:
        """gfn to mfn, from the cache or by a walk; an invalid mapping means an EPT violation."""
        mapping, eptp = self.physical_tlb[vm, vcpu, gfn], self.eptp[vm]
        if mapping.valid and mapping.eptp == eptp.mfn and (mapping.writable or not write) and cached("guest-physical mapping"):
            return mapping
        if not self.installed(vm, gfn, write):
            return PhysicalMapping()
        entry = self.ept[eptp.mfn, gfn]
        mapping = PhysicalMapping(True, eptp.mfn, entry.mfn, entry.writable)
        self.physical_tlb[vm, vcpu, gfn] = mapping
        return mapping

    def execute(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Seen:
        """An access by linear address: from the combined mapping, or by a walk in two dimensions."""
        mapping, mode = self.combined_tlb[vm, vcpu, page], self.paging[vm, vcpu].mode
        if mapping.eptp == self.eptp[vm].mfn and allows(mapping, access, mode) and cached("combined mapping"):
            due = self.bare_access(vm, vcpu, self.bare_tlb[vm, vcpu, page], offset, access, value)
            gfn = self.bare_tlb[vm, vcpu, page].gfn
            return Seen(self.touch(mapping.mfn, offset, access, value), due, gfn, access == Access.WRITE)
        root = self.paging[vm, vcpu].root
        table = self.translate(vm, vcpu, root, write=False)
        if not table.valid:
            return Seen(gfn=root)
        cell, bare_cell = self.memory[table.mfn][page], self.bare_walk(vm, vcpu, page)
        if not permits(cell, access, mode):
            return Seen(Reply(Event.PAGE_FAULT), self.bare_access(vm, vcpu, bare_cell, offset, access, value))
        write = access == Access.WRITE
        target = self.translate(vm, vcpu, cell.gfn, write)
        if not target.valid:
            return Seen(gfn=cell.gfn, write=write)
        self.combined_tlb[vm, vcpu, page] = CombinedMapping(True, target.eptp, target.mfn, target.writable, cell)
        self.bare_tlb[vm, vcpu, page] = bare_cell
        due = self.bare_access(vm, vcpu, bare_cell, offset, access, value)
        return Seen(self.touch(target.mfn, offset, access, value), due, cell.gfn, write)

    def execute_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        """An access while CR0.PG is clear: the linear address is guest-physical."""
        require(not self.paging[vm, vcpu].enabled)
        write = access == Access.WRITE
        target = self.translate(vm, vcpu, gfn, write)
        if not target.valid:
            return Seen(gfn=gfn, write=write)
        due = self.bare_physical(vm, gfn, offset, access, value)
        return Seen(self.touch(target.mfn, offset, access, value), due, gfn, write)

    # ------------------------------------------------------------ the guest's instructions

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Seen:
        require(self.paging[vm, vcpu].enabled)
        return self.execute(vm, vcpu, page, offset, Access.READ, Cell())

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Seen:
        require(self.paging[vm, vcpu].enabled)
        return self.execute(vm, vcpu, page, offset, Access.WRITE, value)

    @guest
    def fetch(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index) -> Seen:
        require(self.paging[vm, vcpu].enabled)
        return self.execute(vm, vcpu, page, offset, Access.FETCH, Cell())

    @guest
    def load_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index) -> Seen:
        return self.execute_unpaged(vm, vcpu, gfn, offset, Access.READ, Cell())

    @guest
    def store_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute_unpaged(vm, vcpu, gfn, offset, Access.WRITE, value)

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        """INVLPG runs without an exit and drops what is cached for one linear page (SDM Vol. 3C 28.4.3.1)."""
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()
        self.invvpid_address(vm, vcpu, page)

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """MOV to CR3 and its like run without an exit too, and drop all combined mappings."""
        self.invvpid(vm, vcpu)

    # ------------------------------------------------------------ the monitor

    @pending(
        "EFF-2",
        "If the p2m allows an access and the VM has an EPT table, serving the EPT violation installs the missing EPT entry.",
        until="ept_violation",
    )
    def entry_not_installed(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        return self.eptp[vm].present and self.lets_through(vm, gfn, write) and not self.installed(vm, gfn, write)

    @operation
    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        """Install what an access lacked, once memory management has supplied it."""
        require(not self.installed(vm, gfn, write))
        found = self.supply(vm, gfn, write)
        if found == Supply.HOLE:
            return Handled(Result.HOLE, vm, gfn, write)
        if found == Supply.LATER:
            return Handled(Result.FAILED, vm, gfn, write)
        if not self.have_table(vm):
            return Handled(Result.FAILED, vm, gfn, write)
        entry = self.p2m[vm, gfn]
        self.ept[self.eptp[vm].mfn, gfn] = EptEntry(True, entry.mfn, entry.writable)
        return Handled(Result.INSTALLED, vm, gfn, write)

    def have_table(self, vm: Vm) -> bool:
        """See to it that a VM has a table; False, and nothing done, if no frame can be had."""
        if self.eptp[vm].present:
            return True
        if self.has_given_up(vm):
            self.eptp[vm] = attrs.evolve(self.eptp[vm], present=True)
            return True
        if self.lacks_frame(vm, "table frame"):
            return False
        mfn = self.free_frame(vm)
        self.frames[mfn] = Frame(Use.TABLE, vm)
        self.eptp[vm] = Eptp(True, mfn)
        return True

    def is_table(self, mfn: Mfn) -> bool:
        return self.eptp[self.frames[mfn].vm].mfn == mfn

    @operation
    def reclaim_table(self, vm: Vm) -> TableGone:
        """Take a VM's table back: its entries can always be made again."""
        eptp = self.eptp[vm]
        require(eptp.present)
        reset(self.ept, lambda entry, table, gfn: table == eptp.mfn)
        self.flush_tables(vm)
        self.give_up_table(vm)
        return TableGone(eptp.mfn)

    def has_given_up(self, vm: Vm) -> bool:
        """Whether a VM's table was taken from it and is a table still, which a processor may walk."""
        return not self.eptp[vm].present and self.eptp[vm].mfn != NOTHING

    def give_up_table(self, vm: Vm) -> None:
        """A VM's table has no entries any more, and processors have forgotten all that was made under it."""
        mfn = self.eptp[vm].mfn
        self.eptp[vm] = Eptp()
        self.release(mfn)

    # ------------------------------------------------------------ flushing

    def flush_tables(self, vm: Vm) -> None:
        """Every processor is to forget what was made under a VM's table: at once."""
        self.invept(self.eptp[vm].mfn)

    def is_asked(self, vm: Vm, vcpu: Vcpu) -> bool:
        """Whether a processor was asked to forget, and has not acknowledged yet."""
        return False

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        eptp = self.eptp[vm]
        if eptp.present:
            entry = self.ept[eptp.mfn, gfn]
            self.ept[eptp.mfn, gfn] = attrs.evolve(entry, writable=False)
            self.flush_tables(vm)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        eptp = self.eptp[vm]
        if eptp.present:
            self.ept[eptp.mfn, gfn] = EptEntry()
            self.flush_tables(vm)
