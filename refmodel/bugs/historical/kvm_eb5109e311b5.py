"""KVM, commit eb5109e311b5: guest-physical translations stayed cached when a vCPU moved to another processor.

The vCPU used them again when it moved back.
"""

import attrs

from refmodel.designs import EptCpus
from refmodel.language import assign
from refmodel.machine.names import Vm

ENTRY, CLAUSE = "B14", "ISO-1"


class Bug(EptCpus):
    """Only processors that run the VM are asked to flush, and not a processor on which the VM ran before."""

    def request_flush(self, vm: Vm) -> None:
        tag = self.tags[vm].tag
        assign(
            self.unflushed, lambda unflushed, cpu, of: of == tag and self.running[cpu].active and self.running[cpu].vm == vm, True
        )
        assign(self.running, lambda here, cpu: here.active and here.vm == vm, lambda here, cpu: attrs.evolve(here, asked=True))
