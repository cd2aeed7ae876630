"""The flush that follows write protection for the log is put off until the log is handed out."""

from refmodel.designs import WriteProtection
from refmodel.language import operation, require
from refmodel.machine.names import Gfn
from refmodel.mmu.write_protection import LogFetched


class Control(WriteProtection):
    """W goes from an entry in a step of its own, after which processors may write by what they have cached. Nobody relies on the
    entry yet: the page is in the log, or is not logged, and it is known to differ from its copy. Processors are flushed when the
    log is handed out. (KVM write-protects page by page for its dirty log, and flushes once before the call returns.)"""

    @operation
    def write_protect(self, gfn: Gfn) -> None:
        require(self.sptes[gfn].writable)
        self.take_write(gfn)

    @operation
    def fetch_log(self, gfn: Gfn) -> LogFetched:
        require(not self.sptes[gfn].writable)
        self.flush(gfn)
        self.logging[gfn] = True
        self.logged[gfn] = False
        return LogFetched(gfn)
