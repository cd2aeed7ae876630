"""Linux, commit 6ce64428d620: a page was copied on write before the flush for its write protection.

A processor with an old translation continued to store to the old frame, and its stores after the copy were lost.
"""

from refmodel.designs import EptCpus
from refmodel.machine.names import Gfn, Vm

ENTRY, CLAUSE = "A21", "ISO-2"


class Bug(EptCpus):
    """A page becomes shared copy-on-write before every processor has flushed its writable translation."""

    geometry = EptCpus.geometry.resized(Gfn=2)

    def protect_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        self.withdraw_write(vm, gfn)
