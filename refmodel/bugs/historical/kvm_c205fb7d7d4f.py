"""KVM, commit c205fb7d7d4f: an emulated read-modify-write read its operand first, and faulted as a read."""

import attrs

from refmodel.bare_roles import Fault, Privilege
from refmodel.designs import ShadowRoles
from refmodel.machine.cells import Access
from refmodel.machine.names import Index, Vcpu, Vm

ENTRY, CLAUSE = "A17", "EQV-3"


class Bug(ShadowRoles):
    """The monitor emulates a read-modify-write by translating for reading first, and for writing afterwards."""

    def rmw_fault(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege) -> tuple[bool, Fault]:
        if not self.bare_permits(vm, vcpu, top, middle, page, by, Access.READ):
            return True, attrs.evolve(self.bare_write_fault(vm, vcpu, top, middle, page, by), write=False)
        return super().rmw_fault(vm, vcpu, top, middle, page, by)
