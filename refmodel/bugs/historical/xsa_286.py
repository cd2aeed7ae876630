"""XSA-286 (Xen; xen.git 16a20963b320): the monitor's linear mapping of a guest's tables was stale after a level 2 update.

The monitor then wrote the guest's entries to a wrong table, possibly to one that was freed.
"""

from refmodel.designs import Direct
from refmodel.machine.names import Index, Mfn, Vm
from refmodel.mmu.direct import Hypercall, MachineWord

ENTRY, CLAUSE = "B05", "EQV-5"


class Bug(Direct):
    """A change of a level 2 entry does not update the monitor's linear mapping of the tables."""

    def update(self, vm: Vm, table: Mfn, index: Index, word: MachineWord) -> Hypercall:
        old, held = self.words[table, index], self.held[table, index]
        if not self.alike(old, word):
            if not self.check(vm, table, word):
                return Hypercall(False)
            self.hold(table, index, word)
            self.drop(held)
        self.words[table, index] = word
        self.bare_words[table, index] = word
        return Hypercall(True)
