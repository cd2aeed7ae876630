"""Mutants of shadows with roles: accessed and dirty flags that nobody sets."""

import attrs

from refmodel.bare_roles import Control, Privilege, Rights
from refmodel.bugs.mutant import Mutant
from refmodel.designs import ShadowRoles
from refmodel.language import guest
from refmodel.machine.cells import Access, Flags
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.shadow_roles import Emulated


class RolesWritableFromTheStart(ShadowRoles):
    """An entry that is created for a load is writable, so that the first store sets no dirty flag."""

    def made_for(self, rights: Rights, control: Control, user: bool, access: Access, dirty: bool) -> Rights:
        return super().made_for(rights, control, user, access, True)


class DirtyFlagForgotten(ShadowRoles):
    """The guest's processor would set two flags, and the monitor sets one."""

    def set_flags(self, vm: Vm, table: Gfn, index: Index, write: bool) -> None:
        super().set_flags(vm, table, index, write)
        mfn = self.frame_of(vm, table)
        self.flags[mfn, index] = Flags(True, False)


class AccessedFlagForgotten(ShadowRoles):
    """The monitor leaves accessed flags to the processor, which does not walk the guest's tables."""

    def set_flags(self, vm: Vm, table: Gfn, index: Index, write: bool) -> None:
        super().set_flags(vm, table, index, write)
        mfn = self.frame_of(vm, table)
        self.flags[mfn, index] = Flags(False, self.flags[mfn, index].dirty)


class DirtyOnALoad(ShadowRoles):
    """A load sets the dirty flag of the guest's entry, so that the guest takes the page for a modified one."""

    def set_flags(self, vm: Vm, table: Gfn, index: Index, write: bool) -> None:
        super().set_flags(vm, table, index, True)


class RolesEmulatedStoreForgetsDirty(ShadowRoles):
    """The monitor emulates a read-modify-write, and sets flags only as for a load."""

    @guest
    def emulate_rmw(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege) -> Emulated:
        table = self.bare_above(vm, self.control[vm, vcpu].root, top, middle).gfn
        was = self.flags[self.frame_of(vm, table), page]
        outcome = super().emulate_rmw(vm, vcpu, top, middle, page, by)
        if not outcome.due_to_fault:
            self.flags[self.frame_of(vm, table), page] = attrs.evolve(was, accessed=True)
        return outcome


class RolesSmapOutwitted(ShadowRoles):
    """A user's read-only page becomes a writable supervisor page in the shadow, even with SMAP set."""

    def takes_emulation(self, rights: Rights, control: Control, by: Privilege, access: Access) -> bool:
        return False


MUTANTS = {
    "roles-writable-from-the-start": Mutant(RolesWritableFromTheStart, "EQV-4"),
    "roles-dirty-flag-forgotten": Mutant(DirtyFlagForgotten, "EQV-4"),
    "roles-accessed-flag-forgotten": Mutant(AccessedFlagForgotten, "EQV-4"),
    "roles-dirty-on-a-load": Mutant(DirtyOnALoad, "EQV-4"),
    "roles-emulated-store-forgets-dirty": Mutant(RolesEmulatedStoreForgetsDirty, "EQV-4"),
    "roles-smap-outwitted": Mutant(RolesSmapOutwitted, "EQV-2"),
}
"""By name."""
