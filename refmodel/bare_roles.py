"""The bare machine for guests whose tables have three levels, and rights in each: what a path gives, whom it lets do what under
which control registers, and which flags are due. Like all of the bare machine this states what is due.
"""

import enum

import attrs

from refmodel.language import NOTHING, Design, Total
from refmodel.machine.cells import Access, Flags
from refmodel.machine.names import Gfn, Index, Vcpu, Vm


@attrs.frozen
class Rights:
    """R/W, U/S and the inverse of XD, of one entry or of a path."""

    writable: bool = False
    user: bool = False
    executable: bool = False


@attrs.frozen
class RoleCell:
    """A guest's entry."""

    present: bool = False
    rights: Rights = Rights()
    gfn: Gfn = NOTHING
    large: bool = False
    """PS, which is reserved at the two upper levels here, as it is at level 4 of the real ones."""


@attrs.frozen
class Control:
    """A vCPU's root and the flags that change what entries mean."""

    root: Gfn = NOTHING
    wp: bool = False
    smep: bool = False
    nxe: bool = False
    smap: bool = False


class Privilege(enum.Enum):
    """Who makes an access."""

    USER = "user"
    SUPERVISOR = "supervisor"
    SUPERVISOR_WITH_AC = "supervisor, EFLAGS.AC set"
    """STAC and CLAC do not exit: the monitor never knows for longer than one exit."""


@attrs.frozen
class Fault:
    """A page fault's error code: P, RSVD, W/R, U/S (SDM Vol. 3A 4.7). I/D is clear: no fetch is emulated."""

    present: bool = False
    reserved: bool = False
    write: bool = False
    user: bool = False


def rights_of_both(a: Rights, b: Rights) -> Rights:
    """What a path gives: a right that is here was given at both levels (SDM Vol. 3A 4.6.1)."""
    return Rights(a.writable and b.writable, a.user and b.user, a.executable and b.executable)


def architecture_permits(rights: Rights, control: Control, by: Privilege, access: Access) -> bool:
    """Whether a path's rights let an access through (SDM Vol. 3A 4.6.1). With NXE clear, XD is a reserved flag, which lets nothing
    through (4.5.4)."""
    user = by == Privilege.USER
    if not rights.executable and (access == Access.FETCH or not control.nxe):
        return False
    if user:
        return rights.user and (access != Access.WRITE or rights.writable)
    if rights.user and access == Access.FETCH:
        return not control.smep
    if rights.user and control.smap and by == Privilege.SUPERVISOR:
        return False
    return access != Access.WRITE or rights.writable or not control.wp


class RolesBareMachine(Design):
    cells: Total[tuple[Vm, Gfn, Index], RoleCell]
    """The guest's tables."""
    control: Total[tuple[Vm, Vcpu], Control]
    bare_flags: Total[tuple[Vm, Gfn, Index], Flags]
    """The accessed and dirty flags of leaf entries, as the guest's processor would have set them."""

    def bare_above(self, vm: Vm, root: Gfn, top: Index, middle: Index) -> RoleCell:
        """The two upper levels together: the leaf table, and the rights on the way to it."""
        first = self.cells[vm, root, top]
        second = self.cells[vm, first.gfn, middle]
        usable = first.present and second.present and not first.large and not second.large
        return RoleCell(usable, rights_of_both(first.rights, second.rights), second.gfn)

    def bare_permits(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege, access: Access) -> bool:
        """Whether the guest's processor would let an access through."""
        control = self.control[vm, vcpu]
        way = self.bare_above(vm, control.root, top, middle)
        leaf = self.cells[vm, way.gfn, page]
        return way.present and leaf.present and architecture_permits(rights_of_both(way.rights, leaf.rights), control, by, access)

    def is_reserved(self, cell: RoleCell, control: Control) -> bool:
        """Whether an upper entry has a flag set that is reserved in it."""
        return cell.large or not (cell.rights.executable or control.nxe)

    def bare_write_fault(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege) -> Fault:
        """The error code of a store that is not let through (SDM Vol. 3A 4.7). The walk ends at the first entry that is not
        present, or has a reserved flag."""
        control = self.control[vm, vcpu]
        first = self.cells[vm, control.root, top]
        second = self.cells[vm, first.gfn, middle]
        leaf = self.cells[vm, second.gfn, page]
        reserved_leaf = leaf.present and not (leaf.rights.executable or control.nxe)
        reserved = first.present and (
            self.is_reserved(first, control) or (second.present and (self.is_reserved(second, control) or reserved_leaf))
        )
        mapped = first.present and second.present and leaf.present
        return Fault(reserved or mapped, reserved, True, by == Privilege.USER)

    def bare_mark(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, write: bool) -> None:
        """The guest's processor marks the leaf entry that an access uses (SDM Vol. 3A 4.8)."""
        table = self.bare_above(vm, self.control[vm, vcpu].root, top, middle).gfn
        self.bare_flags[vm, table, page] = Flags(True, self.bare_flags[vm, table, page].dirty or write)
