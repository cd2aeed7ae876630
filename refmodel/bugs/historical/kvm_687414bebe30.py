"""KVM on POWER, commit 687414bebe30: of a large page that had changed, only the first small page was logged.
"""

from refmodel.designs import EptLarge
from refmodel.language import assign, choose
from refmodel.machine.cells import Flags, both
from refmodel.machine.names import Index, Region, Vm
from refmodel.mmu.ept_large_walk import Upper

ENTRY, CLAUSE = "B11", "EQV-4"


class Bug(EptLarge):
    """A large entry's dirty flag puts one page into the log."""

    def log_large(self, vm: Vm, region: Region, entry: Upper) -> None:
        assign(self.log, lambda log, v, r, page: v == vm and r == region,
               lambda log, v, r, page: both(log, Flags(entry.flags.accessed, False)))
        first: Index = choose(Index, lambda page: True)
        self.log[vm, region, first] = both(self.log[vm, region, first], entry.flags)
