"""What a shadow page's role is made of: rights inherited from above, CR0.WP, SMEP, SMAP and NX; and what the monitor does in the
guest's name.

The guest's tables have three levels here, so that "the rights of the levels above" differs from "those of the level above": a
leaf table reached by two paths has a shadow for the rights that *each whole path* gives. Tables are traced: a change of one
exits, and what was made of tables is dropped.

With CR0.WP clear a supervisor may write to read-only pages; the processor runs with WP set all the same. So such a page is mapped
writable for the supervisor and not at all for the user, until the user comes, and then the other way round; and lest SMEP let the
supervisor execute what is a user's page and does not look it any more, it gets NX. Against SMAP there is no such remedy, so with
SMAP set the store is carried out instead. A processor that runs with EFER.NXE clear
takes NX for a reserved bit; so it runs with NXE set, whatever the guest has. (KVM: ``FNAME(fetch)``, ``is_cr0_wp``,
Documentation/virt/kvm/x86/mmu.rst.)

Accessed and dirty flags are set by the monitor, which writes to the guest's table where it lies in machine memory. An entry is made
by an access, so that the accessed flag is due; and it lets nobody write as long as the guest's dirty flag is clear, so that the
first store exits and the flag is set. What the guest's processor would have set is written down apart, by every access, also by
those that run without the monitor. A read-modify-write that the monitor carries out is a write from the start: its fault says
so.
"""

import attrs

from refmodel.bare_roles import (
    Control,
    Fault,
    Privilege,
    Rights,
    RoleCell,
    RolesBareMachine,
    architecture_permits,
    rights_of_both,
)
from refmodel.language import NOTHING, Total, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Flags
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm


@attrs.frozen
class RoleLink:
    """Where a path leads in the shadow: a leaf table, in the role that the path's rights make."""

    present: bool = False
    table: Gfn = NOTHING
    role: Rights = Rights()


@attrs.frozen
class RoleEntry:
    """A leaf of the shadow, as the processor has it."""

    present: bool = False
    rights: Rights = Rights()
    gfn: Gfn = NOTHING


@attrs.frozen
class PageOf:
    """The guest page that a frame is kept for."""

    vm: Vm = NOTHING
    gfn: Gfn = NOTHING


@attrs.frozen
class Emulated:
    """An instruction that the monitor carried out: whether it faulted, and how; and how it is due."""

    faulted: bool
    fault: Fault
    due_to_fault: bool
    due: Fault


@attrs.frozen
class RoleFilled:
    """What came of a fault on the shadow: whether an entry was installed for it."""

    installed: bool
    vm: Vm
    vcpu: Vcpu
    top: Index
    middle: Index
    page: Index
    by: Privilege
    access: Access


class ShadowRolesMmu(RolesBareMachine):
    links: Total[tuple[Vm, Vcpu, Gfn, Index, Index], RoleLink]
    """The upper levels of a vCPU's shadow: for a root and the indexes of two levels. vCPUs differ in their flags, and share
    nothing."""
    leaves: Total[tuple[Vm, Vcpu, Gfn, bool, bool, bool, Index], RoleEntry]
    """The leaf tables' shadows, for each role: writable, user, executable."""
    host: Total[tuple[Vm, Gfn], Mfn]
    """Where the guest's pages lie; each in a frame of its own."""
    guess: Total[tuple[Vm, Gfn], Mfn]
    """Where they would lie if they lay in order."""
    owner: Total[Mfn, PageOf]
    flags: Total[tuple[Mfn, Index], Flags]
    """The accessed and dirty flags, in machine memory."""

    arbitrary = ("guess",)

    # ------------------------------------------------------------ what the guest's tables say

    def above(self, vm: Vm, root: Gfn, top: Index, middle: Index) -> RoleCell:
        """The two upper levels together: the leaf table, and the rights on the way to it."""
        first = self.cells[vm, root, top]
        second = self.cells[vm, first.gfn, middle]
        return RoleCell(self.leads_on(first) and self.leads_on(second), self.inherited(first, second), second.gfn)

    def leads_on(self, cell: RoleCell) -> bool:
        """Whether an upper entry can be walked on from: one with a page-size flag ends in a fault."""
        return cell.present and not cell.large

    def inherited(self, first: RoleCell, second: RoleCell) -> Rights:
        """What a leaf table's shadow inherits: the rights that every level above it gives."""
        return rights_of_both(first.rights, second.rights)

    # ------------------------------------------------------------ the hardware, on the shadow

    def walked(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index) -> RoleEntry:
        link = self.links[vm, vcpu, self.control[vm, vcpu].root, top, middle]
        role = link.role
        entry = self.leaves[vm, vcpu, link.table, role.writable, role.user, role.executable, page]
        return attrs.evolve(entry, present=link.present and entry.present)

    def hardware_lets(self, vm: Vm, vcpu: Vcpu, entry: RoleEntry, by: Privilege, access: Access) -> bool:
        """The processor runs with WP set, with the guest's SMEP and SMAP, and with NXE as the monitor sets it."""
        guests = self.control[vm, vcpu]
        return entry.present and architecture_permits(
            entry.rights, Control(NOTHING, True, guests.smep, self.hardware_nxe(vm, vcpu), guests.smap), by, access
        )

    def hardware_nxe(self, vm: Vm, vcpu: Vcpu) -> bool:
        """EFER.NXE while the guest runs."""
        return True

    @guest
    def access(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege, access: Access) -> None:
        """An access that the shadow lets through runs without the monitor. The guest's processor would have set flags by it."""
        require(self.hardware_lets(vm, vcpu, self.walked(vm, vcpu, top, middle, page), by, access))
        self.bare_mark(vm, vcpu, top, middle, page, access == Access.WRITE)

    # ------------------------------------------------------------ the guest changes something

    @guest
    def edit(self, vm: Vm, gfn: Gfn, index: Index, cell: RoleCell) -> None:
        """A store to a table exits: it is carried out, and what was made of tables is dropped. The flags go with the entry."""
        require(self.host[vm, gfn] != NOTHING)
        self.cells[vm, gfn, index] = cell
        self.flags[self.host[vm, gfn], index] = Flags()
        self.bare_flags[vm, gfn, index] = Flags()
        self.drop(vm)

    @guest
    def write_control(self, vm: Vm, vcpu: Vcpu, control: Control) -> None:
        """MOV to CR0, CR3 or CR4, or WRMSR to EFER: roles made under the old flags serve no more."""
        self.control[vm, vcpu] = control
        self.drop(vm)

    def drop(self, vm: Vm) -> None:
        reset(self.links, lambda link, v, vcpu, root, top, middle: v == vm)
        reset(self.leaves, lambda entry, v, vcpu, table, writable, user, executable, page: v == vm)

    # ------------------------------------------------------------ the monitor

    @operation
    def populate(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        """A page gets a frame, scrubbed: no entry in it is marked."""
        require(self.host[vm, gfn] == NOTHING)
        require(self.owner[mfn].vm == NOTHING)
        reset(self.flags, lambda flags, frame, index: frame == mfn)
        self.host[vm, gfn] = mfn
        self.owner[mfn] = PageOf(vm, gfn)

    @pending(
        "EFF-2", "If the guest's page tables allow an access, a page fault fills in the missing shadow entry.", until="page_fault"
    )
    def entry_not_made(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege, access: Access) -> bool:
        """Supervisor stores to read-only pages are excluded, because such a store's entry and the user's entry replace each
        other."""
        control = self.control[vm, vcpu]
        way = self.above(vm, control.root, top, middle)
        leaf = self.cells[vm, way.gfn, page]
        rights = rights_of_both(way.rights, leaf.rights)
        return (
            way.present
            and leaf.present
            and self.host[vm, way.gfn] != NOTHING
            and architecture_permits(rights, control, by, access)
            and (access != Access.WRITE or rights.writable)
            and not self.hardware_lets(vm, vcpu, self.walked(vm, vcpu, top, middle, page), by, access)
        )

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege, access: Access) -> RoleFilled:
        """A fault on the shadow that the guest's tables do not explain: make the entry, such as this access needs it. A processor
        may report a fault whose entry has been made since; the entry is made once more."""
        control = self.control[vm, vcpu]
        way = self.above(vm, control.root, top, middle)
        leaf = self.cells[vm, way.gfn, page]
        rights = rights_of_both(way.rights, leaf.rights)
        require(way.present and leaf.present)
        require(self.host[vm, way.gfn] != NOTHING)
        require(architecture_permits(rights, control, by, access))
        require(not self.takes_emulation(rights, control, by, access))
        role = way.rights
        self.links[vm, vcpu, control.root, top, middle] = RoleLink(True, way.gfn, role)
        self.leaves[vm, vcpu, way.gfn, role.writable, role.user, role.executable, page] = RoleEntry(
            True, self.made_for(rights, control, by == Privilege.USER, access, self.is_dirty(vm, way.gfn, page)), leaf.gfn
        )
        self.set_flags(vm, way.gfn, page, access == Access.WRITE)
        self.bare_mark(vm, vcpu, top, middle, page, access == Access.WRITE)
        return RoleFilled(True, vm, vcpu, top, middle, page, by, access)

    def takes_emulation(self, rights: Rights, control: Control, by: Privilege, access: Access) -> bool:
        """Whether no entry will do. One that is the supervisor's alone does not say any more that the page is a user's, and SMAP
        would not know it; so the monitor carries out such a store."""
        return access == Access.WRITE and by != Privilege.USER and not rights.writable and rights.user and control.smap

    def made_for(self, rights: Rights, control: Control, user: bool, access: Access, dirty: bool) -> Rights:
        """The rights of a shadow entry. Where the supervisor writes to what is read-only, because WP is clear, the user is
        kept out. Nobody writes to what is not dirty yet, but by the write that makes it so."""
        if access == Access.WRITE and not user and not rights.writable:
            return Rights(True, False, rights.executable and not (rights.user and control.smep))
        return Rights(rights.writable and (dirty or access == Access.WRITE), rights.user, rights.executable)

    def is_dirty(self, vm: Vm, table: Gfn, index: Index) -> bool:
        """A leaf entry's dirty flag, in the guest's table."""
        return self.flags[self.frame_of(vm, table), index].dirty

    def set_flags(self, vm: Vm, table: Gfn, index: Index, write: bool) -> None:
        """Set a leaf entry's flags, in the guest's table."""
        mfn = self.frame_of(vm, table)
        self.flags[mfn, index] = Flags(True, self.flags[mfn, index].dirty or write)

    def frame_of(self, vm: Vm, gfn: Gfn) -> Mfn:
        """Where to write when a guest's table is to be written to."""
        return self.host[vm, gfn]

    @guest
    def emulate_rmw(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege) -> Emulated:
        """The monitor carries out a read-modify-write. Whether it faults is found out before it is begun."""
        due = not self.bare_permits(vm, vcpu, top, middle, page, by, Access.WRITE)
        due_fault = self.bare_write_fault(vm, vcpu, top, middle, page, by)
        faulted, fault = self.rmw_fault(vm, vcpu, top, middle, page, by)
        table = self.above(vm, self.control[vm, vcpu].root, top, middle).gfn
        require(due or self.host[vm, table] != NOTHING)
        if not faulted:
            self.set_flags(vm, table, page, True)
        if not due:
            self.bare_mark(vm, vcpu, top, middle, page, True)
        return Emulated(faulted, fault, due, due_fault)

    def rmw_fault(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege) -> tuple[bool, Fault]:
        """Translate for writing, once."""
        if self.bare_permits(vm, vcpu, top, middle, page, by, Access.WRITE):
            return False, Fault()
        return True, self.bare_write_fault(vm, vcpu, top, middle, page, by)
