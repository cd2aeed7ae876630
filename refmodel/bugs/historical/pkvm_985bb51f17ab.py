"""pKVM, commit 985bb51f17ab: a page could be taken back from the hypervisor although it was lent to another party.

pKVM checked that the owner had lent the page, and not that the hypervisor had borrowed it.
"""

from refmodel.designs import MonitorPages
from refmodel.machine.names import Mfn
from refmodel.monitor.host_pages import Party

ENTRY, CLAUSE = "B10", "RES-1"


class Bug(MonitorPages):
    """An owner may take back a page that it has lent to any party, and not only to the named one."""

    def borrows(self, mfn: Mfn, party: Party) -> bool:
        return True
