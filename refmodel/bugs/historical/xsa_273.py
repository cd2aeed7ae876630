"""XSA-273, CVE-2018-3620 (Xen; xen.git 06e8b622d3f3, b03a57c938): entries that are not present were not looked at.

On processors with the L1 terminal fault their address is used all the same, to read what the first-level cache holds of any frame.
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
