"""Linux, commit 6ce64428d620: a page was copied on write before the flush that went with its write protection.

A processor with an old translation goes on writing to the old frame, and what it writes after the copy is lost.
"""

from refmodel.designs import EptCpus
from refmodel.machine.names import Vm

ENTRY, CLAUSE = "A21", "EQV-5"


class Bug(EptCpus):
    """A page is copied although not every processor has forgotten how to write to it."""

    def may_copy(self, vm: Vm) -> bool:
        return True
