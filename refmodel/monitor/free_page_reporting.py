"""Free page reporting: the guest reports pages on its free list, whose contents and frames it does not need (virtio 1.2 section
5.5.6.7).

It does not give them up, as it does with a balloon. The monitor takes the frame, and the page is a promise of zeroes from then on:
the guest may use it whenever it likes, without asking, and finds zeroes there, as on a bare machine whose own memory controller had
cleared them. A monitor need not take what is reported; then everything stays as it was, which is a step that does nothing.

While a page is being reported the guest keeps its hands off it. One that does not loses what it stored, and nobody else is harmed:
the translations go before the frame does.
"""

from typing import ClassVar

from refmodel.language import guest, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.monitor.populate_on_demand import PopulateOnDemand


class FreePageReporting(PopulateOnDemand):
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"report_free": ("discard_page",)}

    @guest
    def report_free(self, vm: Vm, gfn: Gfn) -> None:
        """The guest reports a page, and the monitor takes its frame."""
        require(self.in_frame(vm, gfn))
        require(not self.held(vm, gfn))
        self.forget_and_wait(vm, gfn)
        self.vacate(vm, gfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.PROMISED)
        self.lose(vm, gfn)

    def lose(self, vm: Vm, gfn: Gfn) -> None:
        """What the page held is gone: as if it had been taken out, and another put in."""
        self.unplug(vm, gfn)
        self.plug(vm, gfn)
