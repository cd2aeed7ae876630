"""KVM, commit a955cad84cda: a fault that began with one root continued after the root had become invalid.

KVM installed entries in tables that were no longer used and were about to be freed.
"""

from refmodel.designs import EptCpus
from refmodel.language import Total, operation, require
from refmodel.machine.names import Cpu, Gfn, Mfn, Vm
from refmodel.mmu.contract import Derived
from refmodel.mmu.ept import Eptp
from refmodel.monitor.p2m import Supply

ENTRY, CLAUSE = "D05", "ISO-1"


class Bug(EptCpus):
    """A fault looks up its VM's current table, and later installs an entry there even if the table is no longer a table."""

    root_seen: Total[Cpu, Eptp]

    @operation
    def begin_fault(self, cpu: Cpu) -> None:
        require(self.running[cpu].active)
        self.root_seen[cpu] = Eptp(True, self.running[cpu].root)

    @operation
    def end_fault(self, vm: Vm, cpu: Cpu, gfn: Gfn, write: bool) -> None:
        root: Mfn = self.root_seen[cpu].mfn
        require(self.root_seen[cpu].present)
        require(self.running[cpu].active and self.running[cpu].vm == vm)
        require(self.supply(vm, gfn, write) == Supply.READY)
        self.ept[root, gfn] = Derived(True, self.p2m[vm, gfn].mfn, self.p2m[vm, gfn].writable)
        self.root_seen[cpu] = Eptp()
