"""Ballooning: the monitor regains memory by asking the guest for it (Waldspurger, OSDI 2002, section 3).

The monitor sets a target; a driver in the guest gives up pages until its balloon has that size, or takes pages back
when the target has sunk. What it gives up is gone for good: a page that comes back is a page of zeroes. (The virtio
balloon calls target and size ``num_pages`` and ``actual``: virtio 1.2 section 5.5.)
"""

from typing import ClassVar

import attrs

from refmodel.language import Total, count, guest, operation, require
from refmodel.machine.names import Count, Gfn, Vm
from refmodel.monitor.p2m import Backing, P2m, P2mEntry


@attrs.frozen
class Balloon:
    """Sizes in pages."""

    target: Count = 0
    actual: Count = 0


class Ballooning(P2m):
    balloon: Total[Vm, Balloon]

    known: ClassVar[tuple[str, ...]] = ("balloon",)
    flows: ClassVar[dict[str, str]] = {"set_target": "a balloon request"}
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"inflate": ("lose_page",), "deflate": ("gain_page",)}

    @operation
    def set_target(self, vm: Vm, target: Count) -> None:
        """The monitor asks for a balloon of another size."""
        require(target != self.balloon[vm].target)
        self.balloon[vm] = attrs.evolve(self.balloon[vm], target=target)

    @guest
    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        """The guest gives a page up, and the monitor takes what stood behind it, wherever that is."""
        balloon = self.balloon[vm]
        require(self.has_memory(vm, gfn))
        require(not self.in_flight(vm, gfn))
        require(not self.held(vm, gfn))
        require(balloon.actual < balloon.target)
        self.forget_and_wait(vm, gfn)
        self.vacate(vm, gfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.BALLOONED)
        self.balloon[vm] = attrs.evolve(balloon, actual=balloon.actual + 1)
        self.unplug(vm, gfn)

    @guest
    def deflate(self, vm: Vm, gfn: Gfn) -> None:
        """The guest takes a page back; it may have to try again when memory is short."""
        balloon = self.balloon[vm]
        require(self.p2m[vm, gfn].backing == Backing.BALLOONED)
        require(balloon.actual > balloon.target or self.may_deflate_early(vm))
        if self.give_frame(vm, gfn):
            self.plug(vm, gfn)
            self.balloon[vm] = attrs.evolve(balloon, actual=balloon.actual - 1)

    def may_deflate_early(self, vm: Vm) -> bool:
        """Whether the guest may take pages back although the monitor has not asked it to."""
        return False


class DeflateOnOom(Ballooning):
    """A guest that is out of memory takes pages back from its balloon, whatever the target (virtio 1.2 section 5.5.6,
    ``VIRTIO_BALLOON_F_DEFLATE_ON_OOM``). Nobody can check that it is: a target is a wish then, and to be sure of the memory the
    monitor has to swap."""

    def may_deflate_early(self, vm: Vm) -> bool:
        return True


def ballooned(s: Ballooning, vm: Vm) -> int:
    """How many pages of a VM are in its balloon."""
    return count(s.p2m, lambda entry, owner, gfn: owner == vm and entry.backing == Backing.BALLOONED)
