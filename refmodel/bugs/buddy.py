"""Mutants of the frame allocator: frames that are given out twice, with what another left, or from where they should not be."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import BuddyFrames, Memory, MemoryAcknowledged
from refmodel.geometries import two_sizes
from refmodel.language import NOTHING, operation, require
from refmodel.machine.cells import Cells
from refmodel.machine.names import Block, Gfn, Mfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.contract_caches import ContractMmuAcknowledged
from refmodel.mmu.ept_sizes import EptSizesMmu
from refmodel.monitor.buddy import BlockState, Buddy, MemoryAdded, Moved, Span
from refmodel.monitor.devices import Devices
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.sharing import Sharing


class OnlyBuddy(Buddy, ContractMmu):
    """An allocator, and nothing beside it. (Right.)"""

    geometry = Memory.geometry.resized(Block=2)


class MergedInUse(OnlyBuddy):
    """A block is merged while some of its frames are in use."""

    def is_free(self, block: Block) -> bool:
        return True


class GivenWhole(OnlyBuddy):
    """A frame is allocated from a block that is free and not split."""

    def gives_from(self, block: Block) -> bool:
        return block == NOTHING or (self.block_states[block].span != Span.OFFLINE and not self.block_states[block].leaving)


class RemovedInUse(OnlyBuddy):
    """A block is removed while some of its frames are in use."""

    @operation
    def remove_memory(self, block: Block) -> None:
        require(self.block_states[block].leaving)
        self.block_states[block] = BlockState(Span.OFFLINE)


class AddedInName(OnlyBuddy):
    """A block is reported as plugged in, and stays offline."""

    @operation
    def add_memory(self, block: Block) -> MemoryAdded:
        require(self.block_states[block].span == Span.OFFLINE)
        self.forget_what_is_clean(block)
        return MemoryAdded(block)


class MovedInSilence(OnlyBuddy):
    """A page moves, and the move is reported as failed."""

    @operation
    def move_page(self, vm: Vm, gfn: Gfn) -> Moved:
        return attrs.evolve(super().move_page(vm, gfn), moved=False)


class GivenDirty(OnlyBuddy):
    """Frames are allocated without being scrubbed."""

    def scrubbed(self, mfn: Mfn) -> Cells:
        return self.memory[mfn]


class FreedAsClean(OnlyBuddy):
    """A frame that is freed counts as clean."""

    def release(self, mfn: Mfn) -> None:
        clean = self.known_clean[mfn]
        Buddy.release(self, mfn)
        self.known_clean[mfn] = clean


class AddedAsClean(OnlyBuddy):
    """The frames of an added block count as clean, because they were clean when the block was removed."""

    def forget_what_is_clean(self, block: Block) -> None:
        """Nothing."""


class MovedEmpty(OnlyBuddy):
    """A page moves to another frame, and its contents are not copied."""

    def copy_page(self, source: Mfn, target: Mfn) -> None:
        """Nothing."""


class GivenWhileLeaving(OnlyBuddy):
    """Frames are allocated from a block that is marked for removal."""

    def gives_from(self, block: Block) -> bool:
        return block == NOTHING or self.block_states[block].span == Span.SPLIT


class MovedFromAndKept(OnlyBuddy):
    """A page moves to another frame, and its old frame is not freed, so that the old block can never be removed."""

    @operation
    def move_page(self, vm: Vm, gfn: Gfn) -> Moved:
        frame, mfn = self.frames[self.p2m[vm, gfn].mfn], self.p2m[vm, gfn].mfn
        moved = Buddy.move_page(self, vm, gfn)
        if moved.moved:
            self.frames[mfn] = frame
        return moved


class SharedPageMovedAlone(Buddy, Sharing, ContractMmu):
    """A page moves out of a shared frame, and the frame is freed although other pages still use it."""

    geometry = BuddyFrames.geometry

    @operation
    def move_page(self, vm: Vm, gfn: Gfn) -> Moved:
        mfn = self.p2m[vm, gfn].mfn
        moved = Buddy.move_page(self, vm, gfn)
        if moved.moved:
            self.frames[mfn] = Frame(Use.FREE)
        return moved


class HeldPageMoved(Buddy, Devices, ContractMmu):
    """A page that is pinned for a device moves, and the device continues to use the old frame."""

    geometry = BuddyFrames.geometry

    def may_move(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.block_states[self.block[self.p2m[vm, gfn].mfn]].leaving


class MovedUnflushed(Buddy, ContractMmuAcknowledged):
    """A page is copied to its new frame while a processor may still store to the old frame."""

    geometry = MemoryAcknowledged.geometry.resized(Block=2)

    def forget_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        self.forget(vm, gfn)


class MovedIntoATable(Buddy, EptSizesMmu):
    """The new frame of a page is chosen before its large entry is split, and the same frame becomes the new table."""

    geometry = two_sizes(Memory.geometry.resized(Mfn=4))

    @operation
    def move_page(self, vm: Vm, gfn: Gfn) -> Moved:
        entry = self.p2m[vm, gfn]
        require(self.may_move(vm, gfn))
        if self.lacks_frame(vm):
            return Moved(vm, gfn, moved=False)
        mfn = self.free_frame(vm)
        self.forget_and_wait(vm, gfn)
        self.copy_page(entry.mfn, mfn)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = attrs.evolve(entry, mfn=mfn)
        self.release(entry.mfn)
        return Moved(vm, gfn, moved=True)


class NeverMoved(OnlyBuddy):
    """Pages never move out of a block that is marked for removal."""

    def may_move(self, vm: Vm, gfn: Gfn) -> bool:
        return False


MUTANTS = {
    "buddy-merged-in-use": Mutant(MergedInUse, "RES-2"),
    "buddy-given-whole": Mutant(GivenWhole, "RES-2"),
    "buddy-removed-in-use": Mutant(RemovedInUse, "RES-2"),
    "buddy-given-dirty": Mutant(GivenDirty, "ISO-4"),
    "buddy-freed-as-clean": Mutant(FreedAsClean, "ISO-4"),
    "buddy-added-as-clean": Mutant(AddedAsClean, "ISO-4"),
    "buddy-moved-empty": Mutant(MovedEmpty, "ISO-5"),
    "buddy-given-while-leaving": Mutant(GivenWhileLeaving, "RES-3"),
    "buddy-moved-from-and-kept": Mutant(MovedFromAndKept, "RES-1"),
    "buddy-shared-page-moved-alone": Mutant(SharedPageMovedAlone, "ISO-1"),
    "buddy-held-page-moved": Mutant(HeldPageMoved, "ISO-1"),
    "buddy-moved-unflushed": Mutant(MovedUnflushed, "ISO-1"),
    "buddy-moved-into-a-table": Mutant(MovedIntoATable, "ISO-3"),
    "buddy-added-in-name": Mutant(AddedInName, "RES-3"),
    "buddy-moved-in-silence": Mutant(MovedInSilence, "EFF-2"),
    "buddy-never-moved": Mutant(NeverMoved, "RES-3"),
}
"""By name."""
