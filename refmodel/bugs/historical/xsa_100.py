"""XSA-100, CVE-2014-4021 (Xen; xen.git 4bd78937ec32): pages that the hypervisor had used were freed without being scrubbed."""

from refmodel.designs import MonitorPages
from refmodel.monitor.host_pages import HostPage, Kind

ENTRY, CLAUSE = "A23", "ISO-4"


class Bug(MonitorPages):
    """Frames that guests used are scrubbed, and frames that the monitor used are not."""

    def scrubs(self, page: HostPage) -> bool:
        return page.kind == Kind.GUEST
