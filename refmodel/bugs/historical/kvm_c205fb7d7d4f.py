"""KVM, commit c205fb7d7d4f: an emulated read-modify-write read its operand first, and faulted as a read.
"""

from refmodel.designs import ShadowRoles
from refmodel.machine.cells import Access
from refmodel.machine.names import Index, Vcpu, Vm
from refmodel.mmu.shadow_roles import Fault, Privilege

ENTRY, CLAUSE = "A17", "EQV-3"


class Bug(ShadowRoles):
    """A read-modify-write that is carried out for the guest translates for reading, and then for writing."""

    def rmw_fault(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege) -> tuple[bool, Fault]:
        if not self.bare_permits(vm, vcpu, top, middle, page, by, Access.READ):
            return True, Fault(self.mapped(vm, vcpu, top, middle, page), False, by == Privilege.USER)
        return super().rmw_fault(vm, vcpu, top, middle, page, by)
