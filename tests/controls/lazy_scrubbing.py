"""Frames are scrubbed when they are handed out, and not when they are freed."""

from refmodel.designs import MonitorPages
from refmodel.machine.names import Mfn
from refmodel.monitor.host_pages import HostPage


class Control(MonitorPages):
    """A free frame may hold secrets: no guest maps it, and none has borrowed it. Its next owner finds zeroes."""

    def scrubs(self, page: HostPage) -> bool:
        return False

    def found_in(self, mfn: Mfn) -> bool:
        return False
