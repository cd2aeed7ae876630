"""Any MMU whose processors keep translations until they acknowledge a flush.

One table, of what was derived from the p2m, and for each processor a cache of what it may have walked there. A processor may use
what it has cached, or have dropped it; what it was asked to forget it forgets when it acknowledges. A mechanism that reuses
something too early breaks a law here, and so under every MMU that is allowed to be as slow.
"""

from refmodel.language import Total, assign, cached, count, operation, pending, require, reset
from refmodel.machine.names import Cpu, Gfn, Vm
from refmodel.mmu.acknowledged import Acknowledged, AcknowledgingMmu
from refmodel.mmu.contract import Derived, DerivedTable, ProcessorAccesses


class CachesOfDerived(ProcessorAccesses, DerivedTable, AcknowledgingMmu):
    cpu_tlb: Total[tuple[Vm, Cpu, Gfn], Derived]
    """What each processor has cached of each VM."""
    asked: Total[tuple[Vm, Cpu], bool]
    """Whether a processor is to forget a VM's translations, and has not acknowledged yet."""

    def translate(self, vm: Vm, cpu: Cpu, gfn: Gfn, write: bool) -> Derived:
        """By the cache, or by the table, which is cached then; not present if the access exits."""
        found = self.cpu_tlb[vm, cpu, gfn]
        if found.present and (found.writable or not write) and cached("translation"):
            return found
        if not self.gives(vm, gfn, write):
            return Derived()
        self.cpu_tlb[vm, cpu, gfn] = self.derived[vm, gfn]
        return self.derived[vm, gfn]

    # ------------------------------------------------------------ the flush

    def ask(self, vm: Vm) -> None:
        """Every processor is to forget what it has of a VM."""
        assign(self.asked, lambda asked, of, cpu: of == vm, True)

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        return count(self.asked, lambda asked, of, cpu: of == vm and asked) == 0

    @pending(
        "EFF-4",
        "A processor that was asked to flush can acknowledge, and has no flush request pending afterwards.",
        until="acknowledge",
    )
    def unacknowledged(self, vm: Vm, cpu: Cpu) -> bool:
        return self.asked[vm, cpu]

    @operation
    def acknowledge(self, vm: Vm, cpu: Cpu) -> None:
        """The interrupt arrives, or the processor is about to enter the guest."""
        require(self.asked[vm, cpu])
        reset(self.cpu_tlb, lambda found, of, on, gfn: of == vm and on == cpu)
        self.asked[vm, cpu] = False

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        super().protect(vm, gfn)
        self.ask(vm)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        super().forget(vm, gfn)
        self.ask(vm)


class ContractMmuAcknowledged(Acknowledged, CachesOfDerived):
    """The contract MMU with a cache for each processor, for mechanisms that wait until flushes are acknowledged."""
