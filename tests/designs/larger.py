"""Designs that are wrong, and right in their own geometry: it has a name too few."""

from typing import Any

from refmodel.language import NOTHING, Design, Total, choose, count, geometry, implies, law, operation, require
from refmodel.machine.names import Gfn, Slot, Vcpu


class WantsTwoProcessors(Design):
    """A flush is noted for another processor, and there is none. The step that goes wrong is of one processor alone."""

    owed: Total[Vcpu, bool]
    stale: Total[Vcpu, bool]
    geometry = geometry(Vcpu=1)

    @operation
    def flush(self, vcpu: Vcpu, other: Vcpu) -> None:
        require(vcpu != other)
        self.owed[other] = True

    @operation
    def run(self, vcpu: Vcpu) -> None:
        require(self.owed[vcpu])
        self.stale[vcpu] = True

    @law("ISO-1", "No processor runs while a flush is owed.")
    def none_is_stale(s: "WantsTwoProcessors", vcpu: Vcpu) -> Any:
        return not s.stale[vcpu]


class WantsMorePagesThanSlots(Design):
    """A page is not logged if the ring is full."""

    ring: Total[Slot, Gfn]
    written: Total[Gfn, bool]
    geometry = geometry(Slot=1, Gfn=1)

    @operation
    def write(self, gfn: Gfn) -> None:
        require(not self.written[gfn])
        if count(self.ring, lambda page, slot: page == NOTHING) > 0:
            free = choose(Slot, lambda slot: self.ring[slot] == NOTHING)
            self.ring[free] = gfn
        self.written[gfn] = True

    @law("EQV-1", "A page that was written is in the ring.")
    def written_is_logged(s: "WantsMorePagesThanSlots", gfn: Gfn) -> Any:
        return implies(s.written[gfn], count(s.ring, lambda page, slot: page == gfn) > 0)
