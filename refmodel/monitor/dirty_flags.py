"""A dirty log by the hardware's dirty flags: stores do not exit, and the monitor finds out later which pages they went to.

A page is *watched* from when its dirty flag has been clear, and known to be to every processor. The flag is looked at from time to
time, and a page whose flag is set is marked again. A page of a large entry has its flag in common with all others of its region, so
that all are marked where one was stored to.

Flags are set by processors only. Stores by the monitor itself, and by a device, set none; so whoever asks for a page to store to it
marks it. (Linux: ``clear_dirty_gfn_range``, ``mark_page_dirty_in_slot``.)
"""

from refmodel.language import operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.dirty_logging import DirtyLog, is_watched_for
from refmodel.monitor.p2m import Supply


class WatchedByFlags(DirtyLog):
    """What ways to notice stores have in common that need a page's dirty flag to be clear."""

    def may_watch(self, vm: Vm, gfn: Gfn) -> bool:
        return self.may_be_clean(vm, gfn)

    def watch(self, vm: Vm, gfn: Gfn) -> None:
        self.clean(vm, gfn)

    def is_watched(self, vm: Vm, gfn: Gfn) -> bool:
        return True

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        found = super().supply(vm, gfn, write)
        if write and found == Supply.READY:
            self.mark(vm, gfn)
        return found


class DirtyFlags(WatchedByFlags):
    """A dirty log that reads the dirty flags of all pages that are watched for stores."""

    @operation
    def mark_written(self, vm: Vm, gfn: Gfn) -> None:
        """The flag of a page that was sent, or is about to be, is found to be set."""
        require(is_watched_for(self.sent[vm, gfn]))
        require(self.is_written(vm, gfn))
        self.mark(vm, gfn)
