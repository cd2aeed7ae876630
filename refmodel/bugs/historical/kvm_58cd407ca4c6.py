"""KVM, commit 58cd407ca4c6: a cached translation was refreshed while the host's memory changed, and the old translation was kept.

The frame was looked up without a lock, and recorded without a check for an invalidation since.
"""

from refmodel.language import NOTHING, Total, operation, require
from refmodel.machine.names import Vm
from refmodel.monitor.p2m import Supply
from refmodel.monitor.registered_pages import KeptFrame
from refmodel.points import over

ENTRY, CLAUSE = "D06", "ISO-1"

RegisteredAndShared = over("any", ("registered-pages", "sharing"))


class Bug(RegisteredAndShared):  # type: ignore[valid-type, misc]
    """The frame of a registered page is looked up first, and recorded later even if the page has changed since."""

    geometry = RegisteredAndShared.geometry

    looked_up: Total[Vm, KeptFrame]

    @operation
    def begin_refreshing(self, vm: Vm) -> None:
        gfn = self.registered[vm].gfn
        require(gfn != NOTHING)
        require(self.supply(vm, gfn, True) == Supply.READY)
        self.looked_up[vm] = KeptFrame(self.p2m[vm, gfn].mfn)

    @operation
    def finish_refreshing(self, vm: Vm) -> None:
        require(self.looked_up[vm].mfn != NOTHING)
        self.kept_frames[vm] = self.looked_up[vm]
        self.looked_up[vm] = KeptFrame()
