"""A dirty log that reads the processors' page-modification logs, which name the pages that were stored to.

A page is watched, as by dirty flags, from when its flag has been clear and is known to be to every processor. The next store to it
sets the flag, and is logged. An entry is in the log until it is drained: whoever counts what is left to send drains first.

The processor logs one store to a large entry for all its pages. So a page that is watched is mapped apart, and stays so until it is
marked again. (Linux maps no large pages in a memory slot that is logged.)
"""

from refmodel.language import count
from refmodel.machine.names import Gfn, Region, Vm
from refmodel.monitor.dirty_flags import WatchedByFlags
from refmodel.monitor.dirty_logging import is_watched_for


class PageModificationLogging(WatchedByFlags):
    def may_watch(self, vm: Vm, gfn: Gfn) -> bool:
        return self.is_apart(vm, gfn) and super().may_watch(vm, gfn)

    def kept_apart(self, vm: Vm, region: Region) -> int:
        watched = count(
            self.sent,
            lambda sent, of, gfn: of == vm and self.is_covered(gfn) and self.lies_in(gfn, region) and is_watched_for(sent),
        )
        return watched + super().kept_apart(vm, region)

    def was_written(self, vm: Vm, gfn: Gfn) -> None:
        super().was_written(vm, gfn)
        self.mark(vm, gfn)
