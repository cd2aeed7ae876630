"""Dirty ring: the dirty log is a ring with a fixed number of entries, instead of a bitmap.

The monitor notes the first store to each page in a ring that whoever copies the VM's memory reads. It *harvests* an entry, and the
page's mark is taken with it. Later it *resets* the entry: the page is write-protected, and only then is there room again. When the
ring is full a vCPU that stores to a protected page has to wait. So the log has the size of what was stored to, and a VM that stores
faster than it is copied is slowed down.

What changes a page without a vCPU's asking is noted in the bitmap still: the monitor cannot wait, and nobody runs that could be
made to. (Linux: ``kvm_dirty_ring_push``, ``kvm_dirty_ring_reset``, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP.)
"""

import attrs

from refmodel.language import NOTHING, Total, choose, count, operation, pending, require, reset
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.monitor.dirty_logging import DirtyLogging, Sent


@attrs.frozen
class RingEntry:
    """A page that was stored to; none, where the ring has room."""

    gfn: Gfn = NOTHING
    harvested: bool = False
    """Whether it was read, and is to be reset."""


class DirtyRing(DirtyLogging):
    ring: Total[tuple[Vm, Index], RingEntry]
    in_ring: Total[tuple[Vm, Gfn], bool]
    """Whether a page's mark, or what was taken of it, is in the ring and not in the bitmap."""

    # ------------------------------------------------------------ noting

    def has_log_room(self, vm: Vm, gfn: Gfn) -> bool:
        return self.sent[vm, gfn] == Sent.MARKED or self.free_entries(vm) != 0

    def free_entries(self, vm: Vm) -> int:
        """How much room there is in a VM's ring."""
        return count(self.ring, lambda entry, of, at: of == vm and entry.gfn == NOTHING)

    def mark_store(self, vm: Vm, gfn: Gfn) -> None:
        """What is marked already is noted somewhere."""
        if self.sent[vm, gfn] != Sent.MARKED:
            at: Index = choose(Index, lambda at: self.ring[vm, at].gfn == NOTHING)
            self.ring[vm, at] = RingEntry(gfn)
            self.sent[vm, gfn] = Sent.MARKED
            self.in_ring[vm, gfn] = True

    def mark(self, vm: Vm, gfn: Gfn) -> None:
        super().mark(vm, gfn)
        self.in_ring[vm, gfn] = False

    def mark_all(self, vm: Vm) -> None:
        super().mark_all(vm)
        reset(self.in_ring, lambda noted, of, gfn: of == vm)

    def in_bitmap(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.in_ring[vm, gfn]

    # ------------------------------------------------------------ reading

    @pending("EFF-4", "Every used entry of the dirty ring that was not harvested yet can be harvested.", until="harvest")
    def not_harvested(self, vm: Vm, at: Index) -> bool:
        return self.ring[vm, at].gfn != NOTHING and not self.ring[vm, at].harvested

    @pending("EFF-4", "A harvested entry of the dirty ring can be reset, so that a full ring has room again.", until="reset_entry")
    def not_reset(self, vm: Vm, at: Index) -> bool:
        return self.ring[vm, at].harvested

    @operation
    def harvest(self, vm: Vm, at: Index) -> None:
        """Read an entry. What is in no frame by now stays marked, in the bitmap."""
        gfn = self.ring[vm, at].gfn
        require(gfn != NOTHING)
        require(not self.ring[vm, at].harvested)
        self.ring[vm, at] = RingEntry(gfn, True)
        if self.sent[vm, gfn] == Sent.MARKED and self.in_ring[vm, gfn]:
            if self.in_frame(vm, gfn):
                self.sent[vm, gfn] = Sent.TAKEN
            else:
                self.mark(vm, gfn)

    @operation
    def reset_entry(self, vm: Vm, at: Index) -> None:
        """Its page is protected, and there is room again. What a device holds is marked again, and so is what is in no frame."""
        entry = self.ring[vm, at]
        require(entry.harvested)
        self.ring[vm, at] = RingEntry()
        if self.sent[vm, entry.gfn] == Sent.TAKEN and self.in_ring[vm, entry.gfn]:
            if self.in_frame(vm, entry.gfn) and not self.held(vm, entry.gfn):
                self.begin_watching(vm, entry.gfn)
            else:
                self.mark(vm, entry.gfn)
