"""EPT with entries of several sizes, whose flush is an interrupt to every vCPU that each acknowledges in its own time.

A table that is linked no more is given up: it stays a table, and empty, until every vCPU has forgotten its pointers.
"""

from refmodel.language import Total, operation, pending, require, reset
from refmodel.machine.names import Mfn, Vcpu, Vm
from refmodel.mmu.acknowledged import Acknowledged, InterruptedVcpus
from refmodel.mmu.ept_sizes import EptSizesMmu, EptThreeSizesMmu


class InterruptingSizesMmu(InterruptedVcpus, EptSizesMmu):
    given_up: Total[Mfn, bool]
    """Whether a frame is a table that is linked no more."""

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        """The interrupt arrives, and the processor forgets translations of every size, and pointers."""
        require(self.asked[vm, vcpu])
        reset(self.small_tlb, lambda found, of, on, gfn: of == vm and on == vcpu)
        reset(self.large_tlb, lambda found, of, on, region: of == vm and on == vcpu)
        reset(self.pointers, lambda found, of, on, region: of == vm and on == vcpu)
        self.asked[vm, vcpu] = False

    def give_up_table(self, table: Mfn) -> None:
        self.given_up[table] = True

    def is_given_up(self, mfn: Mfn) -> bool:
        return self.given_up[mfn]

    @pending(
        "EFF-4",
        "An EPT table that is no longer used is freed once every vCPU has acknowledged the flush.",
        until="free_table",
        after=("unacknowledged",),
    )
    def table_not_freed(self, table: Mfn) -> bool:
        return self.given_up[table]

    @operation
    def free_table(self, table: Mfn) -> None:
        """Free an unlinked EPT table, once every vCPU of its VM has acknowledged its flush."""
        require(self.given_up[table])
        require(self.have_acknowledged(self.table_of[table].vm))
        self.given_up[table] = False
        super().give_up_table(table)


class EptSizesAcknowledgedMmu(Acknowledged, InterruptingSizesMmu):
    """EPT with entries of 4 KiB and 2 MiB, for mechanisms that wait until flushes are acknowledged."""


class EptThreeSizesAcknowledgedMmu(EptSizesAcknowledgedMmu, EptThreeSizesMmu):
    """With entries of 1 GiB too."""
