"""KVM, commit 65855ed8b034: an unsync shadow page was linked under a new parent without being synced.

A guest need not invalidate an address that was never translated, so the shadow must not be stale there.
"""

from refmodel.designs import ShadowUnsync
from refmodel.machine.cells import Cell
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.mmu.shadow_unsync import Link

ENTRY, CLAUSE = "A12", "EQV-5"


class Bug(ShadowUnsync):
    """A leaf table that is unsync is linked under another root without being synced."""

    geometry = ShadowUnsync.geometry.resized(Index=2)  # the page that faults is filled in anew: another one stays stale

    def link(self, vm: Vm, root: Gfn, upper: Index, above: Cell) -> None:
        table = above.gfn
        if not self.unsync[vm, table] and not self.synced[vm, table]:
            self.synced[vm, table] = True
            self.protect(vm, table)
        self.links[vm, root, upper] = Link(True, table, above.writable, above.executable, above.user)
