"""Roles: a shadow gives what the guest's whole path gives, under the guest's own flags."""

from typing import Any

from refmodel.bare_roles import Privilege
from refmodel.language import NOTHING, implies, law
from refmodel.machine.cells import Access
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.shadow_roles import Emulated, RoleFilled, ShadowRolesMmu


@law("ISO-5", "When the monitor serves a fault, it sets accessed and dirty flags only in frames of the faulting VM.")
def flags_are_written_to_the_guests_own_frames(
    s: ShadowRolesMmu, before: ShadowRolesMmu, outcome: RoleFilled, mfn: Mfn, index: Index
) -> Any:
    return implies(s.flags[mfn, index] != before.flags[mfn, index], s.owner[mfn].vm == outcome.vm)


@law("RES-2", "Each guest page that has a machine frame is the only page in the frame.")
def hosts_are_owned(s: ShadowRolesMmu, vm: Vm, gfn: Gfn) -> Any:
    mfn = s.host[vm, gfn]
    return implies(mfn != NOTHING, s.owner[mfn].vm == vm and s.owner[mfn].gfn == gfn)


@law("EQV-2", "Every access that the shadow tables allow is allowed by the guest's page tables.")
def shadows_let_through_what_is_permitted(
    s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege, access: Access
) -> Any:
    entry = s.walked(vm, vcpu, top, middle, page)
    return implies(s.hardware_lets(vm, vcpu, entry, by, access), s.bare_permits(vm, vcpu, top, middle, page, by, access))


@law("EQV-1", "A shadow entry maps the gfn that the guest's page tables give for the same linear page.")
def shadows_lead_to_the_guests_page(s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index) -> Any:
    entry = s.walked(vm, vcpu, top, middle, page)
    way = s.bare_above(vm, s.control[vm, vcpu].root, top, middle)
    return implies(
        entry.present, way.present and s.cells[vm, way.gfn, page].present and s.cells[vm, way.gfn, page].gfn == entry.gfn
    )


@law("EQV-2", "A shadow link names the guest's leaf table, with the rights that both upper entries give together.")
def links_are_the_path(s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, root: Gfn, top: Index, middle: Index) -> Any:
    link, way = s.links[vm, vcpu, root, top, middle], s.bare_above(vm, root, top, middle)
    return implies(
        link.present,
        way.present
        and way.gfn == link.table
        and way.rights.writable == link.role.writable
        and way.rights.user == link.role.user
        and way.rights.executable == link.role.executable,
    )


@law("EQV-2", "The rights of a shadow entry follow from its role, the guest's leaf PTE, and the vCPU's WP, SMEP, SMAP and NXE.")
def entries_are_made_of_the_role(
    s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, table: Gfn, writable: bool, user: bool, executable: bool, page: Index
) -> Any:
    entry, leaf = s.leaves[vm, vcpu, table, writable, user, executable, page], s.cells[vm, table, page]
    control = s.control[vm, vcpu]
    w, u = writable and leaf.rights.writable, user and leaf.rights.user
    x = executable and leaf.rights.executable
    as_guests = (w or not entry.rights.writable) and entry.rights.user == u and entry.rights.executable == x
    for_supervisor = (
        entry.rights.writable
        and not entry.rights.user
        and not w
        and not control.wp
        and not (u and control.smap)
        and entry.rights.executable == (x and not (u and control.smep))
    )
    return implies(entry.present, leaf.present and leaf.gfn == entry.gfn and (x or control.nxe) and (as_guests or for_supervisor))


@law("EQV-3", "An instruction that the monitor emulates faults exactly as on the bare machine, with the same error code.")
def emulated_faults_are_as_due(s: ShadowRolesMmu, outcome: Emulated) -> Any:
    return outcome.faulted == outcome.due_to_fault and implies(outcome.faulted, outcome.fault == outcome.due)


@law("EQV-4", "Every accessed flag that the guest's processor would have set is set in the guest's table.")
def accessed_flags_are_where_they_belong(s: ShadowRolesMmu, vm: Vm, gfn: Gfn, index: Index) -> Any:
    return implies(s.bare_flags[vm, gfn, index].accessed, s.host[vm, gfn] != NOTHING and s.flags[s.host[vm, gfn], index].accessed)


@law("EQV-4", "Every dirty flag that the guest's processor would have set is set in the guest's table.")
def dirty_flags_are_where_they_belong(s: ShadowRolesMmu, vm: Vm, gfn: Gfn, index: Index) -> Any:
    return implies(s.bare_flags[vm, gfn, index].dirty, s.host[vm, gfn] != NOTHING and s.flags[s.host[vm, gfn], index].dirty)


@law("EQV-4", "An accessed or dirty flag is set in a guest's table only if the guest's processor would have set it.")
def no_flag_is_set_too_early(s: ShadowRolesMmu, vm: Vm, gfn: Gfn, index: Index) -> Any:
    flags, bare = s.flags[s.host[vm, gfn], index], s.bare_flags[vm, gfn, index]
    return implies(s.host[vm, gfn] != NOTHING, implies(flags.accessed, bare.accessed) and implies(flags.dirty, bare.dirty))


@law("EQV-4", "A shadow leaf entry is present only if the guest's PTE is accessed, and writable only if the guest's PTE is dirty.")
def entries_need_no_more_flags(
    s: ShadowRolesMmu, vm: Vm, vcpu: Vcpu, table: Gfn, writable: bool, user: bool, executable: bool, page: Index
) -> Any:
    entry = s.leaves[vm, vcpu, table, writable, user, executable, page]
    flags = s.flags[s.host[vm, table], page]
    return implies(entry.present, s.host[vm, table] != NOTHING and flags.accessed and implies(entry.rights.writable, flags.dirty))


@law("EFF-2", "After a fault on the shadow tables is served, the shadow entry allows the access.")
def a_served_role_fault_makes_progress(s: ShadowRolesMmu, outcome: RoleFilled) -> Any:
    return implies(
        outcome.installed,
        s.hardware_lets(
            outcome.vm,
            outcome.vcpu,
            s.walked(outcome.vm, outcome.vcpu, outcome.top, outcome.middle, outcome.page),
            outcome.by,
            outcome.access,
        ),
    )
