"""KVM, commit eb5109e311b5: guest-physical translations stayed behind when a vCPU moved to another processor.

They were used again when it came back.
"""

from refmodel.designs import EptCpus
from refmodel.language import assign
from refmodel.machine.names import Vm
from refmodel.mmu.ept_cpus import Asked

ENTRY, CLAUSE = "B14", "ISO-1"


class Bug(EptCpus):
    """Only the processors that run the VM are to forget; one that it ran on before is not."""

    def request_flush(self, vm: Vm) -> None:
        tag = self.tags[vm].tag
        assign(self.asked, lambda asked, cpu: self.runs(cpu, vm), Asked(True, vm))
        assign(self.unflushed, lambda unflushed, cpu, t: t == tag and self.runs(cpu, vm), True)
