"""CVE-2019-3016 (KVM, merge 4cbc418a44d5): a flush request was lost if it came while the vCPU was being resumed.

The request flag was read and then cleared, and a request between the two steps was lost.
"""

import attrs

from refmodel.designs import EptCpus
from refmodel.language import NOTHING, Total, operation, require, reset
from refmodel.machine.names import Cpu, Vm
from refmodel.mmu.ept_cpus import Running

ENTRY, CLAUSE = "A26", "ISO-1"


@attrs.frozen
class Entering:
    """A processor about to enter, and whether the mark was there when it looked."""

    under_way: bool = False
    vm: Vm = NOTHING
    flush: bool = False


class Bug(EptCpus):
    """The monitor reads whether a flush was requested, and clears the request in a later step."""

    entering: Total[Cpu, Entering]

    @operation
    def look(self, vm: Vm, cpu: Cpu) -> None:
        require(not self.running[cpu].active)
        require(self.tags[vm].given and self.eptp[vm].present)
        self.entering[cpu] = Entering(True, vm, self.unflushed[cpu, self.tags[vm].tag])

    @operation
    def enter(self, vm: Vm, cpu: Cpu) -> None:
        tag, entering = self.tags[vm].tag, self.entering[cpu]
        require(entering.under_way and entering.vm == vm)
        require(not self.running[cpu].active)
        require(self.tags[vm].given and self.eptp[vm].present)
        if entering.flush:
            reset(self.tag_tlb, lambda found, on, of, gfn: on == cpu and of == tag)
        self.unflushed[cpu, tag] = False
        self.entering[cpu] = Entering()
        self.running[cpu] = Running(True, vm, self.eptp[vm].mfn)
