"""KVM on POWER, commit 687414bebe30: of a large page that had changed, only the first small page was logged."""

from refmodel.designs import EptFlags
from refmodel.language import choose
from refmodel.machine.cells import Flags, both
from refmodel.machine.names import Gfn, Region, Vm

ENTRY, CLAUSE = "B11", "EQV-4"


class Bug(EptFlags):
    """A large entry's dirty flag puts only one of its pages into the dirty log."""

    def clear_large(self, vm: Vm, region: Region) -> None:
        first: Gfn = choose(Gfn, lambda gfn: self.is_covered(gfn) and self.lies_in(gfn, region))
        self.noted[vm, first] = both(self.noted[vm, first], self.upper_flags[vm, region])
        self.upper_flags[vm, region] = Flags()
