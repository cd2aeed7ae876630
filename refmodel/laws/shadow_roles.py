"""Roles: a shadow gives what the guest's whole path gives, under the guest's own flags."""

from typing import Any

from refmodel.bare_roles import Privilege
from refmodel.language import NOTHING, implies, law
from refmodel.machine.cells import Access
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.shadow_roles import Emulated, RoleFilled, ShadowRolesMmu


@law("ISO-5", "What the monitor writes in a guest's name goes to that guest's frames.")
def flags_are_written_to_the_guests_own_frames(s: ShadowRolesMmu, before: ShadowRolesMmu, outcome: RoleFilled, mfn: Mfn,
                                               index: Index) -> Any:
    return implies(s.flags[mfn, index] != before.flags[mfn, index], s.owner[mfn].vm == outcome.vm)


@law("RES-2", "Each page has a frame of its own.")
def hosts_are_owned(s: ShadowRolesMmu, vm: Vm, gfn: Gfn) -> Any:
    mfn = s.host[vm, gfn]
    return implies(mfn != NOTHING, s.owner[mfn].vm == vm and s.owner[mfn].gfn == gfn)


@law("EQV-2", "What the shadow lets through, the guest's tables let through.")
def shadows_let_through_what_is_permitted(s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index,
                                          by: Privilege, access: Access) -> Any:
    entry = s.walked(vm, vcpu, top, middle, page)
    return implies(s.hardware_lets(vm, vcpu, entry, by, access), s.bare_permits(vm, vcpu, top, middle, page, by, access))


@law("EQV-1", "The shadow leads to the page that the guest's tables name.")
def shadows_lead_to_the_guests_page(s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index) -> Any:
    entry = s.walked(vm, vcpu, top, middle, page)
    way = s.bare_above(vm, s.control[vm, vcpu].root, top, middle)
    return implies(entry.present, way.present and s.cells[vm, way.gfn, page].present and s.cells[vm, way.gfn, page].gfn ==
    entry.gfn)


@law("EQV-2", "A link stands for what both levels above give.")
def links_are_the_path(s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, root: Gfn, top: Index, middle: Index) -> Any:
    link, way = s.links[vm, vcpu, root, top, middle], s.bare_above(vm, root, top, middle)
    return implies(link.present, way.present and way.gfn == link.table and way.rights.writable == link.role.writable
                   and way.rights.user == link.role.user and way.rights.executable == link.role.executable)


@law("EQV-2", "An entry is what the vCPU's flags make of the role and the guest's leaf.")
def entries_are_made_of_the_role(s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, table: Gfn, writable: bool, user: bool, executable: bool,
                                 page: Index) -> Any:
    entry, leaf = s.leaves[vm, vcpu, table, writable, user, executable, page], s.cells[vm, table, page]
    control = s.control[vm, vcpu]
    w, u = writable and leaf.rights.writable, user and leaf.rights.user
    x = executable and leaf.rights.executable
    as_guests = (w or not entry.rights.writable) and entry.rights.user == u and entry.rights.executable == x
    for_supervisor = (entry.rights.writable and not entry.rights.user and not w and not control.wp
                      and not (u and control.smap) and entry.rights.executable == (x and not (u and control.smep)))
    return implies(entry.present, leaf.present and leaf.gfn == entry.gfn and (x or control.nxe) and (as_guests or for_supervisor))


@law("EQV-3", "An instruction that the monitor carries out faults as it would, with the same error code.")
def emulated_faults_are_as_due(s: ShadowRolesMmu, outcome: Emulated) -> Any:
    return (outcome.faulted == outcome.due_to_fault
            and implies(outcome.faulted, outcome.fault == outcome.due))


@law("EQV-4", "An accessed flag is set where the guest's processor would have set it.")
def accessed_flags_are_where_they_belong(s: ShadowRolesMmu, vm: Vm, gfn: Gfn, index: Index) -> Any:
    return implies(s.bare_flags[vm, gfn, index].accessed, s.host[vm, gfn] != NOTHING and s.flags[s.host[vm, gfn], index].accessed)


@law("EQV-4", "A dirty flag is set where the guest's processor would have set it.")
def dirty_flags_are_where_they_belong(s: ShadowRolesMmu, vm: Vm, gfn: Gfn, index: Index) -> Any:
    return implies(s.bare_flags[vm, gfn, index].dirty, s.host[vm, gfn] != NOTHING and s.flags[s.host[vm, gfn], index].dirty)


@law("EQV-4", "No accessed or dirty flag is set in a guest's table that the guest's processor would not have set.")
def no_flag_is_set_too_early(s: ShadowRolesMmu, vm: Vm, gfn: Gfn, index: Index) -> Any:
    flags, bare = s.flags[s.host[vm, gfn], index], s.bare_flags[vm, gfn, index]
    return implies(s.host[vm, gfn] != NOTHING, implies(flags.accessed, bare.accessed) and implies(flags.dirty, bare.dirty))


@law("EQV-4", "An entry is there only if the guest's is marked as accessed, and lets anybody write only if it is as dirty.")
def entries_need_no_more_flags(s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, table: Gfn, writable: bool, user: bool, executable: bool,
                               page: Index) -> Any:
    entry = s.leaves[vm, vcpu, table, writable, user, executable, page]
    flags = s.flags[s.host[vm, table], page]
    return implies(entry.present, s.host[vm, table] != NOTHING and flags.accessed and implies(entry.rights.writable, flags.dirty))


@law("EFF-2", "A fault that was served leaves an entry that lets the access through.")
def a_served_role_fault_makes_progress(s: ShadowRolesMmu, outcome: RoleFilled) -> Any:
    return implies(outcome.installed, s.hardware_lets(
        outcome.vm, outcome.vcpu, s.walked(outcome.vm, outcome.vcpu, outcome.top, outcome.middle, outcome.page), outcome.by,
        outcome.access))
