"""CVE-2022-48991 (Linux, commit f268f6cf875f): khugepaged collapsed pages into a huge page without calling the MMU notifiers.

Secondary MMUs, such as KVM's, continued to map the pages that had been freed.
"""

import attrs

from refmodel.designs import Memory
from refmodel.language import operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.frames import Frame, Use

ENTRY, CLAUSE = "D07", "ISO-1"


class Bug(Memory):
    """A page moves to another frame, and the MMU keeps its translations of the page."""

    @operation
    def collapse(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(self.in_frame(vm, gfn) and self.frames[entry.mfn].use == Use.PRIVATE)
        require(not self.lacks_frame(vm))
        mfn = self.free_frame(vm)
        self.memory[mfn] = self.memory[entry.mfn]
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = attrs.evolve(entry, mfn=mfn)
        self.release(entry.mfn)
