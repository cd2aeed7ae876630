"""A table that is linked no more is freed at once: the monitor waits there until every vCPU has acknowledged."""

from refmodel.designs import EptTwoSizesAcknowledged
from refmodel.language import assign, reset
from refmodel.machine.names import Mfn
from refmodel.mmu.ept_sizes import EptSizesMmu


class Control(EptTwoSizesAcknowledged):
    """No vCPU can have a pointer to the table when all have acknowledged, so it need not be kept until they have."""

    geometry = EptTwoSizesAcknowledged.geometry

    def give_up_table(self, table: Mfn) -> None:
        vm = self.table_of[table].vm
        reset(self.small_tlb, lambda found, of, vcpu, gfn: of == vm)
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)
        assign(self.asked, lambda asked, of, vcpu: of == vm, False)
        EptSizesMmu.give_up_table(self, table)
