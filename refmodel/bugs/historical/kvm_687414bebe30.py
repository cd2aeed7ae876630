"""KVM on POWER, commit 687414bebe30: of a large page that had changed, only the first small page was logged.
"""

from refmodel.designs import EptLarge
from refmodel.language import choose
from refmodel.machine.names import Index, Region, Vm
from refmodel.mmu.ept_large import Upper

ENTRY, CLAUSE = "B11", "EQV-4"


class Bug(EptLarge):
    """A large entry's dirty flag puts one page into the log."""

    def log_large(self, vm: Vm, region: Region, entry: Upper) -> None:
        if entry.dirty:
            first: Index = choose(Index, lambda page: True)
            self.logged[vm, region, first] = True
