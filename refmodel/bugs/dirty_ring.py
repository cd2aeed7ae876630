"""Mutants of a dirty log in a ring: marks that the ring has no room for, or that it forgets."""

from refmodel.bugs.mutant import Mutant
from refmodel.designs import Memory
from refmodel.language import NOTHING, operation, require, reset
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.ballooning import Ballooning
from refmodel.monitor.devices import Devices
from refmodel.monitor.dirty_logging import DirtyLog, DirtyLogging, Sent
from refmodel.monitor.dirty_ring import DirtyRing, RingEntry
from refmodel.monitor.sharing import Sharing
from refmodel.monitor.swapping import Swapping


class OnlyRing(DirtyRing, ContractMmu):
    """A ring, and nothing beside it. (Right.)"""

    geometry = Memory.geometry


class FullRingMarksNothing(OnlyRing):
    """While the ring is full, a store completes and is not logged."""

    def has_log_room(self, vm: Vm, gfn: Gfn) -> bool:
        return True

    def mark_store(self, vm: Vm, gfn: Gfn) -> None:
        if self.free_entries(vm) != 0:
            DirtyRing.mark_store(self, vm, gfn)


class FullRingStartsAnew(OnlyRing):
    """While the ring is full, a store overwrites an entry that is not harvested yet."""

    def has_log_room(self, vm: Vm, gfn: Gfn) -> bool:
        return True

    def mark_store(self, vm: Vm, gfn: Gfn) -> None:
        if self.free_entries(vm) == 0:
            reset(self.ring, lambda entry, of, at: of == vm)
        DirtyRing.mark_store(self, vm, gfn)


class AlwaysFull(OnlyRing):
    """A vCPU waits for ring space although the ring has a free entry."""

    def has_log_room(self, vm: Vm, gfn: Gfn) -> bool:
        return self.sent[vm, gfn] == Sent.MARKED


class LostWithTheMachine(OnlyRing):
    """The destination is lost, and a new mark counts as a ring entry although the ring has no entry for the page."""

    def mark_all(self, vm: Vm) -> None:
        DirtyLogging.mark_all(self, vm)


class FreeOnceHarvested(OnlyRing):
    """A ring entry is free as soon as it is harvested, and its page is never write-protected."""

    @operation
    def harvest(self, vm: Vm, at: Index) -> None:
        DirtyRing.harvest(self, vm, at)
        self.ring[vm, at] = RingEntry()


class ResetUnprotected(OnlyRing):
    """A ring entry is reset, and its page stays writable."""

    def watch(self, vm: Vm, gfn: Gfn) -> None:
        if self.in_bitmap(vm, gfn):
            DirtyRing.watch(self, vm, gfn)


class ResetThoughStoredTo(DirtyRing, Sharing, ContractMmu):
    """A page is stored to again between harvest and reset, and the reset of its old entry removes the new mark."""

    geometry = Memory.geometry.resized(Index=2)  # room for the new mark

    @operation
    def reset_entry(self, vm: Vm, at: Index) -> None:
        gfn = self.ring[vm, at].gfn
        require(self.ring[vm, at].harvested)
        self.ring[vm, at] = RingEntry()
        if self.in_frame(vm, gfn):
            self.begin_watching(vm, gfn)


class HarvestedWhileAway(DirtyRing, Swapping, ContractMmu):
    """The ring entry of a page that was swapped out is harvested, and no contents are copied."""

    geometry = Memory.geometry

    @operation
    def harvest(self, vm: Vm, at: Index) -> None:
        gfn = self.ring[vm, at].gfn
        require(gfn != NOTHING)
        require(not self.ring[vm, at].harvested)
        if self.in_frame(vm, gfn):
            DirtyRing.harvest(self, vm, at)
        else:
            self.ring[vm, at] = RingEntry(gfn, True)


class BalloonedInTheRing(DirtyRing, Ballooning, ContractMmu):
    """A page goes into the balloon and is not marked in the bitmap, because the ring already has an entry of the page."""

    geometry = Memory.geometry

    def mark(self, vm: Vm, gfn: Gfn) -> None:
        DirtyLog.mark(self, vm, gfn)


class HeldPagesReset(DirtyRing, Devices, ContractMmu):
    """A page is write-protected while it is pinned for a device, and the device continues to store to the page."""

    geometry = Memory.geometry

    @operation
    def reset_entry(self, vm: Vm, at: Index) -> None:
        entry = self.ring[vm, at]
        require(entry.harvested)
        self.ring[vm, at] = RingEntry()
        if self.sent[vm, entry.gfn] == Sent.TAKEN and self.in_ring[vm, entry.gfn] and self.in_frame(vm, entry.gfn):
            self.begin_watching(vm, entry.gfn)


MUTANTS = {
    "ring-full-marks-nothing": Mutant(FullRingMarksNothing, "EQV-4"),
    "ring-full-starts-anew": Mutant(FullRingStartsAnew, "EQV-4"),
    "ring-always-full": Mutant(AlwaysFull, "EFF-2"),
    "ring-lost-with-the-machine": Mutant(LostWithTheMachine, "EQV-4"),
    "ring-free-once-harvested": Mutant(FreeOnceHarvested, "EQV-4"),
    "ring-reset-unprotected": Mutant(ResetUnprotected, "EQV-4"),
    "ring-reset-though-stored-to": Mutant(ResetThoughStoredTo, "EQV-4"),
    "ring-harvested-while-away": Mutant(HarvestedWhileAway, "EQV-4"),
    "ring-ballooned": Mutant(BalloonedInTheRing, "EQV-4"),
    "ring-held-pages-reset": Mutant(HeldPagesReset, "ISO-2"),
}
"""By name."""
