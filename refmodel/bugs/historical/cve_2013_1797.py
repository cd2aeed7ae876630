"""CVE-2013-1797 (KVM, commit 0b79459b482e): the address of a guest's clock page was looked up only once, when the guest registered
the page.

The page's memory slot could be removed, and KVM continued to store the time there.
"""

from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.memory_slots import MemorySlots
from refmodel.monitor.registered_pages import RegisteredPages
from refmodel.points import over

ENTRY, CLAUSE = "C04", "ISO-1"


class Bug(RegisteredPages, MemorySlots, ContractMmu):
    """The monitor keeps the frame of a registered page after the page is gone."""

    geometry = over("any", ("registered-pages", "memory-slots")).geometry

    def drop_kept(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""
