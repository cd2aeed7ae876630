"""EPT whose flush is an interrupt to every vCPU, which each acknowledges in its own time (Linux: ``kvm_flush_remote_tlbs``).

A table that is taken from a VM cannot be freed before that either: a processor may be walking it. It is *given up*, and empty.
"""

from refmodel.language import Total, assign, count, operation, require, reset
from refmodel.machine.names import Gfn, Vcpu, Vm
from refmodel.mmu.acknowledged import Acknowledged, AcknowledgingMmu
from refmodel.mmu.ept import EptMmu, Eptp


class InterruptingEptMmu(EptMmu, AcknowledgingMmu):
    asked: Total[tuple[Vm, Vcpu], bool]
    """Whether a vCPU is to forget what was made under its VM's table: before its next instruction, if it does not run."""

    def flush_tables(self, vm: Vm) -> None:
        assign(self.asked, lambda asked, of, vcpu: of == vm, True)

    def is_asked(self, vm: Vm, vcpu: Vcpu) -> bool:
        return self.asked[vm, vcpu]

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        return self.have_acknowledged(vm)

    def have_acknowledged(self, vm: Vm) -> bool:
        """Whether every vCPU of a VM has forgotten what it was asked to forget."""
        return count(self.asked, lambda asked, of, vcpu: of == vm and asked) == 0

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

    @operation
    def free_table(self, vm: Vm) -> None:
        """No vCPU can walk the table that was given up any more."""
        mfn = self.eptp[vm].mfn
        require(self.has_given_up(vm))
        require(self.have_acknowledged(vm))
        self.eptp[vm] = Eptp()
        self.release(mfn)


class EptAcknowledgedMmu(Acknowledged, InterruptingEptMmu):
    """The same, with the mechanisms over ``Acknowledged``."""
