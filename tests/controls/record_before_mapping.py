"""A page is freed with its writes in the other order."""

from refmodel.designs import MonitorPages
from refmodel.language import NOTHING, operation, require
from refmodel.machine.names import Mfn
from refmodel.monitor.host_pages import HostMapping, HostPage, Kind


class Control(MonitorPages):
    """A frame's record is cleared first and its mapping then, which are two tables; nobody looks in between."""

    @operation
    def free(self, mfn: Mfn) -> None:
        page = self.pages[mfn]
        require(page.kind != Kind.FREE and not page.held)
        require(not self.lent[mfn].shared)
        self.pages[mfn] = HostPage()
        if page.at != NOTHING:
            self.physmap[page.vm, page.at] = HostMapping()
