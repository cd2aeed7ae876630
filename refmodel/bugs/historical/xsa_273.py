"""XSA-273, CVE-2018-3620 (Xen; xen.git 06e8b622d3f3, b03a57c938): entries that are not present were not checked.

Processors with the L1 terminal fault use the address of such an entry speculatively, to read any frame in the first-level cache.
"""

import attrs

from refmodel.designs import Direct
from refmodel.machine.names import Mfn, Vm
from refmodel.mmu.direct import MachineWord

ENTRY, CLAUSE = "B07", "ISO-1"


class Bug(Direct):
    """An entry that is not present may hold any address."""

    geometry = attrs.evolve(Direct.geometry, only={MachineWord: (MachineWord(), MachineWord(mfn=0))})

    def check(self, vm: Vm, table: Mfn, word: MachineWord) -> bool:
        return not word.present or super().check(vm, table, word)
