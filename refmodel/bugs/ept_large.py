"""Mutants of extended page tables with large mappings."""

from refmodel.designs import EptLarge
from refmodel.machine.names import Cpu, Index, Region, Vm
from refmodel.mmu.ept_large import Outcome, Place, Reached


class LargeStoresExit(EptLarge):
    """Every store exits, whatever the tables give."""

    def touch(self, vm: Vm, cpu: Cpu, region: Region, page: Index, write: bool) -> Reached:
        return Reached(False, Place(), region, page, write) if write else super().touch(vm, cpu, region, page, write)


class PromisesAreHoles(EptLarge):
    """A page that was promised is touched, and the guest is told that there is no memory."""

    def demand(self, vm: Vm, region: Region, page: Index) -> Outcome:
        return Outcome.HOLE


class PromisedStill(EptLarge):
    """A page that was promised gets its frame, and is promised still."""

    def demand_page(self, vm: Vm, region: Region, page: Index) -> Outcome:
        self.place_page(vm, region, page)
        return Outcome.RETRY
