"""CVE-2019-11487 (Linux, commit 15fab63e1e57): a page's reference count had too few bits, and its overflow was not checked.

A process that took enough references brought the count back to zero, and the page was freed while it was in use.
"""

import attrs

from refmodel.designs import PluggedBlocks
from refmodel.machine.names import Gfn, Mfn, Vm

ENTRY, CLAUSE = "D09", "RES-1"

MOST = 2
"""How far the count goes. Linux's has 32 bits; the run is the same, and longer."""


class Bug(PluggedBlocks):
    """A reference count that reaches its maximum wraps to zero."""

    def join(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        super().join(vm, gfn, mfn)
        frame = self.frames[mfn]
        if frame.references > MOST:
            self.frames[mfn] = attrs.evolve(frame, references=0)
