"""KVM/arm64, commit 94d0e5980d67: vCPUs of one VM that ran on the same processor in turn used each other's translations.

The vCPUs have different page tables, and their cached translations carry only the VM's tag.
"""

from refmodel.bare import Seen
from refmodel.designs import Ept
from refmodel.language import cached, choose
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Index, Vcpu, Vm
from refmodel.machine.translation_caches import allows

ENTRY, CLAUSE = "C06", "EQV-2"


class Bug(Ept):
    """A vCPU uses translations that another vCPU of its VM has left in the processor's cache."""

    geometry = Ept.geometry.resized(Vm=1, Vcpu=2)

    def execute(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Seen:
        before: Vcpu = choose(Vcpu, lambda other: True)
        mapping = self.combined_tlb[vm, before, page]
        if (
            mapping.eptp == self.eptp[vm].mfn
            and allows(mapping, access, self.paging[vm, vcpu].mode)
            and cached("another's combined mapping")
        ):
            due = self.bare_access(vm, vcpu, self.bare_tlb[vm, vcpu, page], offset, access, value)
            return Seen(self.touch(mapping.mfn, offset, access, value), due)
        return super().execute(vm, vcpu, page, offset, access, value)
