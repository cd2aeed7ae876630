"""QEMU, commit f1c72795af57: the first pass of a migration did not send pages of zeroes.

The destination had other contents there: another version of the firmware. (Reverted by 9ef051e5536b.)
"""

from refmodel.designs import LiveMigration
from refmodel.language import Total, operation
from refmodel.machine.names import Gfn, Vm

ENTRY, CLAUSE = "C02", "EQV-4"


class Bug(LiveMigration):
    """The first pass does not send a page of zeroes, because the destination's memory is assumed to hold zeroes."""

    sent_once: Total[tuple[Vm, Gfn], bool]

    @operation
    def send(self, vm: Vm, gfn: Gfn) -> None:
        had = self.destination[vm, gfn]
        super().send(vm, gfn)
        if self.destination[vm, gfn].is_zero() and not self.sent_once[vm, gfn]:
            self.destination[vm, gfn] = had
        self.sent_once[vm, gfn] = True
