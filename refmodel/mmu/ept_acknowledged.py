"""EPT whose flush is an interrupt to every vCPU, which each acknowledges in its own time (Linux: ``kvm_flush_remote_tlbs``).

A table that is taken from a VM cannot be freed before that either: a processor may be walking it. It is *given up*, and empty.
"""

from refmodel.language import operation, pending, require, reset
from refmodel.machine.names import Vcpu, Vm
from refmodel.mmu.acknowledged import Acknowledged, InterruptedVcpus
from refmodel.mmu.ept import EptMmu, Eptp


class InterruptingEptMmu(InterruptedVcpus, EptMmu):
    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        """The interrupt arrives: INVEPT for this VM's table. The bare machine may forget at any time; here it does too."""
        require(self.asked[vm, vcpu])
        reset(self.physical_tlb, lambda mapping, of, on, gfn: of == vm and on == vcpu)
        reset(self.combined_tlb, lambda mapping, of, on, page: of == vm and on == vcpu)
        self.bare_flush(vm, vcpu)
        self.asked[vm, vcpu] = False

    def give_up_table(self, vm: Vm) -> None:
        """It is empty, and stays a table: a vCPU may walk it still."""
        self.eptp[vm] = Eptp(False, self.eptp[vm].mfn)

    @pending(
        "EFF-4",
        "An EPT table that is no longer used is freed once every vCPU has acknowledged the flush.",
        until="free_table",
        after=("unacknowledged",),
    )
    def table_not_freed(self, vm: Vm) -> bool:
        return self.has_given_up(vm)

    @operation
    def free_table(self, vm: Vm) -> None:
        """Free a VM's old EPT table, once every vCPU of the VM has acknowledged its flush."""
        mfn = self.eptp[vm].mfn
        require(self.has_given_up(vm))
        require(self.have_acknowledged(vm))
        self.eptp[vm] = Eptp()
        self.release(mfn)


class EptAcknowledgedMmu(Acknowledged, InterruptingEptMmu):
    """EPT whose flushes each vCPU acknowledges later, for mechanisms that wait until flushes are acknowledged."""
