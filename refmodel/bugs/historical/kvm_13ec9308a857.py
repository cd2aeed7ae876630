"""KVM/arm64, commit 13ec9308a857: a fault installed a translation that had been looked up before the host's memory changed.

The check for changes began too late, and missed a change before that.
"""

from refmodel.designs import Memory
from refmodel.language import Total, operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.contract import Derived
from refmodel.monitor.p2m import Supply

ENTRY, CLAUSE = "C12", "ISO-1"


class Bug(Memory):
    """A fault looks up a page, and later installs the translation even if the page has changed since."""

    found: Total[tuple[Vm, Gfn], Derived]

    @operation
    def look_up(self, vm: Vm, gfn: Gfn, write: bool) -> None:
        require(self.supply(vm, gfn, write) == Supply.READY)
        self.found[vm, gfn] = self.supplied(vm, gfn)

    @operation
    def install(self, vm: Vm, gfn: Gfn) -> None:
        require(self.found[vm, gfn].present)
        self.derived[vm, gfn] = self.found[vm, gfn]
        self.found[vm, gfn] = Derived()
