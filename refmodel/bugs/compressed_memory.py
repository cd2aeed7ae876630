"""Mutants of compressed memory."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import CompressedPages
from refmodel.language import choose, fails, operation, require
from refmodel.machine.cells import Cells
from refmodel.machine.names import Gfn, Mfn, Slot, Vm
from refmodel.monitor.compressed_memory import Packed, WrittenOut
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Backing, P2mEntry, Reclaim, Reclaimed
from refmodel.monitor.swapping import SlotUse


class ReadFromTheDevice(CompressedPages):
    """A compressed page is read from the swap device, where its slot holds older contents."""

    geometry = CompressedPages.further_geometries[0]

    def expanded(self, slot: Slot) -> Cells:
        return self.swap[slot]


class StaleCopyKept(CompressedPages):
    """A page was expanded and its slot freed, and the compressed copy stays in the pool for the next owner of the slot."""

    def unpack(self, slot: Slot) -> None:
        """Nothing."""


class CompressedWhileCached(CompressedPages):
    """A page is compressed, and processors continue to use its old frame."""

    @operation
    def compress(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        entry = self.p2m[vm, gfn]
        require(self.may_write_back(vm, gfn))
        if fails("swap slot") or fails("room in the pool"):
            return Reclaimed(Reclaim.NO_SLOT, vm, gfn)
        slot: Slot = choose(Slot, lambda slot: not self.slots[slot].used)
        mfn: Mfn = choose(Mfn, self.has_room)
        self.slots[slot] = SlotUse(True, vm, gfn)
        self.expands_to[slot] = self.memory[entry.mfn]
        self.pool[slot] = Packed(True, mfn)
        self.packed[mfn] = self.packed[mfn] + 1
        self.p2m[vm, gfn] = P2mEntry(Backing.SWAPPED, slot=slot)
        self.release(entry.mfn)
        return Reclaimed(Reclaim.TAKEN, vm, gfn)


class PoolFrameFreedInUse(CompressedPages):
    """The pool frees a frame that still holds a compressed page."""

    @operation
    def shrink_pool(self, mfn: Mfn) -> None:
        require(self.frames[mfn].use == Use.POOL)
        self.release(mfn)


class PoolOverfilled(CompressedPages):
    """Any number of compressed pages is put into a pool frame that has room for two."""

    def has_room(self, mfn: Mfn) -> bool:
        return self.frames[mfn].use == Use.POOL


class WrittenOutUncounted(CompressedPages):
    """A compressed page is written to the swap device, and its pool frame still counts the page."""

    @operation
    def write_out(self, slot: Slot) -> WrittenOut:
        require(self.pool[slot].stored)
        self.swap[slot] = self.expands_to[slot]
        self.pool[slot] = Packed()
        return WrittenOut(slot)


class WrittenOutAndKept(CompressedPages):
    """A compressed page is written to the swap device and stays in the pool, so that the pool gains no room."""

    @operation
    def write_out(self, slot: Slot) -> WrittenOut:
        require(self.pool[slot].stored)
        self.swap[slot] = self.expands_to[slot]
        return WrittenOut(slot)


class CompressedInName(CompressedPages):
    """A page is reported as reclaimed, and keeps its frame."""

    @operation
    def compress(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        require(self.may_write_back(vm, gfn))
        if fails("swap slot"):
            return Reclaimed(Reclaim.NO_SLOT, vm, gfn)
        slot: Slot = choose(Slot, lambda slot: not self.slots[slot].used)
        self.protect_and_wait(vm, gfn)
        self.slots[slot] = SlotUse(True, vm, gfn)
        self.swap[slot] = self.memory[self.p2m[vm, gfn].mfn]
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], slot=slot)
        return Reclaimed(Reclaim.TAKEN, vm, gfn)


MUTANTS = {
    "pool-read-from-the-device": Mutant(ReadFromTheDevice, "EQV-1"),
    "pool-stale-copy-kept": Mutant(StaleCopyKept, "RES-2"),
    "pool-compressed-while-cached": Mutant(CompressedWhileCached, "ISO-1"),
    "pool-frame-freed-in-use": Mutant(PoolFrameFreedInUse, "RES-2"),
    "pool-overfilled": Mutant(PoolOverfilled, "RES-1"),
    "pool-written-out-uncounted": Mutant(WrittenOutUncounted, "RES-1"),
    "pool-written-out-and-kept": Mutant(WrittenOutAndKept, "RES-3"),
    "pool-compressed-in-name": Mutant(CompressedInName, "RES-3"),
}
"""By name."""
