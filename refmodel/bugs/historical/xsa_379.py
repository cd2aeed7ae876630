"""XSA-379, CVE-2021-28697 (Xen; xen.git f147422bf947): the gfn of a status page was looked up before the lock was taken.

Two concurrent calls left the page mapped at two gfns. It was unmapped from only one of them, and then reused.
"""

import attrs

from refmodel.designs import MonitorPages
from refmodel.language import NOTHING, Total, guest, require
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.monitor.host_pages import Kind

ENTRY, CLAUSE = "B08", "ISO-1"


@attrs.frozen
class Call:
    """A call under way, and where the page was when it looked."""

    under_way: bool = False
    mfn: Mfn = NOTHING
    old: Gfn = NOTHING


class Bug(MonitorPages):
    """A guest maps a status page in two steps: one step looks up where the page is, and the other moves it from there."""

    calls: Total[tuple[Vm, Gfn], Call]
    """By the guest frame that is asked for."""

    @guest
    def look(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> None:
        require(self.pages[mfn].kind == Kind.STATUS and self.pages[mfn].vm == vm)
        self.calls[vm, gfn] = Call(True, mfn, self.pages[mfn].at)

    @guest
    def add_to_physmap(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> None:
        call = self.calls[vm, gfn]
        require(call.under_way and call.mfn == mfn)
        require(self.pages[mfn].kind == Kind.STATUS and self.pages[mfn].vm == vm)
        require(not self.physmap[vm, gfn].mapped)
        self.calls[vm, gfn] = Call()
        self.move_status(vm, mfn, call.old, gfn)
