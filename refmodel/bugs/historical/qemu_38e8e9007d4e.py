"""QEMU, commit 38e8e9007d4e: a page that had left the balloon still counted as inflated.

The host discards a large page when all of its small pages are inflated, and discarded a page that the guest used again.
"""

from refmodel.designs import EptTwoSizes
from refmodel.language import Total, count, guest, reset
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.frames import Use

ENTRY, CLAUSE = "A22", "EQV-1"


class Bug(EptTwoSizes):
    """The monitor records which pages of a block were inflated, and does not clear the record of a page that is deflated."""

    partial: Total[tuple[Vm, Gfn], bool]

    @guest
    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        super().inflate(vm, gfn)
        region = self.region[gfn]
        self.partial[vm, gfn] = True
        if count(self.partial, lambda partial, of, page: of == vm and self.region[page] == region and not partial) == 0:
            reset(
                self.memory,
                lambda page, mfn: (
                    self.frames[mfn].use == Use.PRIVATE
                    and self.frames[mfn].vm == vm
                    and self.region[self.frames[mfn].gfn] == region
                ),
            )  # what is discarded is zeroes when it is next touched
            reset(self.partial, lambda partial, of, page: of == vm and self.region[page] == region)
