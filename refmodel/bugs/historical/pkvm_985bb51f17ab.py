"""pKVM, commit 985bb51f17ab: a page could be taken back from the hypervisor though it was lent to somebody else.

That the owner had lent it was checked, that the other side had borrowed it was not.
"""

from refmodel.designs import MonitorPages
from refmodel.machine.names import Mfn
from refmodel.monitor.host_pages import Party

ENTRY, CLAUSE = "B10", "RES-1"


class Bug(MonitorPages):
    """An owner may take back a page that it has lent to any party, and not only to the named one."""

    def borrows(self, mfn: Mfn, party: Party) -> bool:
        return True
