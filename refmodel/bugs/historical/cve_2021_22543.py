"""CVE-2021-22543 (KVM, fixed by f8be156be163): pages without a reference count were mapped writable, and no reference was taken."""

import attrs

from refmodel.designs import MonitorPages
from refmodel.language import operation, require
from refmodel.machine.names import Gfn, Mfn
from refmodel.monitor.host_pages import HostPage, Kind

ENTRY, CLAUSE = "B02", "ISO-1"


class Bug(MonitorPages):
    """A device page is mapped with the rights that the guest wants, and the device's driver is not asked to keep the page."""

    def device_lets(self, page: HostPage, write: bool) -> bool:
        return True

    def holding(self, page: HostPage, gfn: Gfn) -> HostPage:
        return attrs.evolve(page, at=gfn)

    @operation
    def free(self, mfn: Mfn) -> None:
        page = self.pages[mfn]
        require(page.kind == Kind.DEVICE)
        self.pages[mfn] = HostPage()
