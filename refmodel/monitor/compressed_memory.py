"""Compressed memory: pages that would go to the swap device are compressed and kept in memory first.

A page that goes is compressed into a frame of the monitor's *pool*, and its own frame is free. It keeps a slot of the swap device,
under which it is found in the pool. When it is wanted it is expanded into a frame at once, without waiting for a device, and the
copy in the pool is gone. Two pages at most lie in one frame of the pool, as in Linux's zbud; so a pool that is full saves half.

A page that does not become small is not kept; it goes to the device like any other. So does one that has been in the pool for
long: the monitor *writes it out* to its slot, and the pool has room again (Linux's zswap: ``zswap_writeback_entry``). What the
device holds under a slot is worth nothing as long as the page is in the pool.

(zswap: Documentation/admin-guide/mm/zswap.rst. ESX has a compression cache: Mem.MemZipMaxPct.)
"""

import attrs

from refmodel.language import NOTHING, Total, choose, fails, operation, require
from refmodel.machine.cells import Cells
from refmodel.machine.names import Count, Gfn, Mfn, Slot, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry, Reclaim, Reclaimed, Supply
from refmodel.monitor.swapping import SlotUse, Swapping

MOST = 2
"""Compressed pages in a frame."""


@attrs.frozen
class Packed:
    """The compressed copy of a slot's page, if there is one, and the frame of the pool that it lies in."""

    stored: bool = False
    mfn: Mfn = NOTHING


@attrs.frozen
class WrittenOut:
    """A compressed page was written to its slot of the device."""

    slot: Slot


class CompressedMemory(Swapping):
    pool: Total[Slot, Packed]
    expands_to: Total[Slot, Cells]
    """What a compressed page expands to."""
    packed: Total[Mfn, Count]
    """How many compressed pages lie in a frame of the pool."""

    # ------------------------------------------------------------ the pool

    @operation
    def enlarge_pool(self) -> None:
        """The pool takes a free frame."""
        if not fails("frame"):
            self.frames[self.free_frame(NOTHING)] = Frame(Use.POOL)

    @operation
    def shrink_pool(self, mfn: Mfn) -> None:
        """The pool gives back a frame in which nothing lies."""
        require(self.frames[mfn].use == Use.POOL)
        require(self.packed[mfn] == 0)
        self.release(mfn)

    def has_room(self, mfn: Mfn) -> bool:
        return self.frames[mfn].use == Use.POOL and self.packed[mfn] < MOST

    def unpack(self, slot: Slot) -> None:
        """A slot's compressed copy goes, if there is one."""
        copy = self.pool[slot]
        if copy.stored:
            self.packed[copy.mfn] = self.packed[copy.mfn] - 1
            self.pool[slot] = Packed()

    # ------------------------------------------------------------ out

    @operation
    def compress(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        """Take a page from its frame, and keep it compressed. It may not become small, or find no room."""
        require(self.may_write_back(vm, gfn))
        require(self.may_leave(vm, gfn))
        if fails("swap slot") or fails("room in the pool"):
            return Reclaimed(Reclaim.NO_SLOT, vm, gfn)
        slot: Slot = choose(Slot, lambda slot: not self.slots[slot].used)
        mfn: Mfn = choose(Mfn, self.has_room)
        self.keep_small(vm, gfn, slot, mfn)
        return Reclaimed(Reclaim.TAKEN, vm, gfn)

    def keep_small(self, vm: Vm, gfn: Gfn, slot: Slot, mfn: Mfn) -> None:
        """A page leaves its frame, and is kept under a slot in a frame of the pool."""
        entry = self.p2m[vm, gfn]
        require(self.may_be_taken(vm))
        self.protect_and_wait(vm, gfn)
        self.slots[slot] = SlotUse(True, vm, gfn)
        self.expands_to[slot] = self.memory[entry.mfn]
        self.pool[slot] = Packed(True, mfn)
        self.packed[mfn] = self.packed[mfn] + 1
        self.forget(vm, gfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.SWAPPED, slot=slot)
        self.retire(vm, gfn, entry.mfn)

    @operation
    def write_out(self, slot: Slot) -> WrittenOut:
        """Expand a compressed page to the device, where it was to go in the first place."""
        require(self.pool[slot].stored)
        self.swap[slot] = self.expanded(slot)
        self.unpack(slot)
        return WrittenOut(slot)

    # ------------------------------------------------------------ in

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        """Expand a page that is compressed: it is there at once, and nowhere else."""
        slot = self.p2m[vm, gfn].slot
        if self.p2m[vm, gfn].backing != Backing.SWAPPED or not self.pool[slot].stored:
            return super().bring(vm, gfn)
        if self.lacks_frame(vm):
            return Supply.LATER
        mfn = self.free_frame(vm)
        self.memory[mfn] = self.expanded(slot)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.drop_copy(vm, gfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn)
        return Supply.READY

    def expanded(self, slot: Slot) -> Cells:
        """The page whose compressed copy a slot has."""
        return self.expands_to[slot]

    # ------------------------------------------------------------ what swapping sees of it

    def drop_copy(self, vm: Vm, gfn: Gfn) -> None:
        self.unpack(self.p2m[vm, gfn].slot)
        super().drop_copy(vm, gfn)

    def copy_of(self, slot: Slot) -> Cells:
        return self.expands_to[slot] if self.pool[slot].stored else super().copy_of(slot)
