"""KVM, commit edde99ce0529: KVM_GET_DIRTY_LOG write-protected the pages first, and took the marks afterwards.

A store between the two steps set a mark that was then taken, and made the page writable, so that the next store set no mark.
"""

from refmodel.designs import Memory
from refmodel.language import operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.dirty_logging import Sent

ENTRY, CLAUSE = "A18", "EQV-4"


class Bug(Memory):
    """The monitor write-protects a page first, and takes its dirty mark afterwards."""

    @operation
    def take_mark(self, vm: Vm, gfn: Gfn) -> None:
        """The first step, which protects. TAKEN says here that the mark is about to be taken."""
        require(self.p2m[vm, gfn].resident)
        require(self.sent[vm, gfn] == Sent.MARKED)
        self.withdraw_write(vm, gfn)
        self.sent[vm, gfn] = Sent.TAKEN

    @operation
    def protect_taken(self, vm: Vm, gfn: Gfn) -> None:
        """The second, which takes the mark."""
        require(self.p2m[vm, gfn].resident)
        require(self.sent[vm, gfn] == Sent.TAKEN)
        self.sent[vm, gfn] = Sent.PROTECTED

    def mark(self, vm: Vm, gfn: Gfn) -> None:
        """Between the two a mark joins those that are about to be taken."""
        if self.sent[vm, gfn] != Sent.TAKEN:
            self.sent[vm, gfn] = Sent.MARKED
