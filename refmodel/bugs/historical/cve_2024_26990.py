"""CVE-2024-26990 (KVM, commit 2673dfb591a3): SPTEs that L2 uses were not write-protected for the dirty log.

KVM cleared their dirty flags instead, which processors do not set for these entries. Later stores of L2 were not logged.
"""

from refmodel.designs import Nested
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.nested import NestedMmu
from refmodel.mmu.shadow import ShadowEntry
from refmodel.monitor.dirty_logging import DirtyLogging

ENTRY, CLAUSE = "D10", "EQV-4"


class NestedLogged(DirtyLogging, NestedMmu):
    """EPT on EPT, over a dirty log."""

    geometry = Nested.geometry


class Bug(NestedLogged):
    """For the dirty log, a page is write-protected in EPT01, and not in the EPT02 tables that were composed for L2."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        self.ept01[vm, gfn] = ShadowEntry()
