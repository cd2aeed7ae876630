"""Linux, commit 5535be309971 (CVE-2022-2590): the kernel took a page's dirty flag as a proof that its sharing had been broken.

A page can be dirty for other reasons, and a forced write by the kernel then changed the shared frame.
"""

from refmodel.designs import Memory
from refmodel.language import NOTHING
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.p2m import Supply

ENTRY, CLAUSE = "B12", "ISO-2"


class Bug(Memory):
    """The monitor stores to a page that is marked dirty, without checking whether its frame is shared."""

    def ready_to_copy(self, vm: Vm, gfn: Gfn) -> Supply:
        entry = self.p2m[vm, gfn]
        if entry.mapped and entry.slot == NOTHING and self.sent[vm, gfn] == Sent.MARKED:
            return Supply.READY
        return self.supply(vm, gfn, write=True)
