"""Mutants of live migration and of free page hinting: pages that go stale on their way, come twice, or are lost."""

import attrs

from refmodel.bare import Reply
from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptFlags, LiveMigration, Memory, MemoryAcknowledged
from refmodel.language import choose, guest, operation, require
from refmodel.machine.cells import Access, Cell, Cells
from refmodel.machine.names import Gfn, Index, Mfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.contract_caches import ContractMmuAcknowledged
from refmodel.mmu.ept_flags import EptFlagsMmu
from refmodel.monitor.ballooning import Ballooning
from refmodel.monitor.devices import Devices
from refmodel.monitor.dirty_flags import DirtyFlags
from refmodel.monitor.dirty_logging import DestinationLost, DirtyLogging, Sent
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.free_page_hinting import CalledFree, FreePageHinting
from refmodel.monitor.migration import LeftBehind, Migration
from refmodel.monitor.p2m import Backing, P2mEntry, Reclaim, Reclaimed, Supply
from refmodel.monitor.sharing import Sharing


class OnlyPostCopy(Migration, ContractMmu):
    """Pages that are handed over and fetched, and nothing beside that. (Right.)"""

    geometry = Memory.geometry


class HandedOverUnflushed(Migration, ContractMmuAcknowledged):
    """A page is handed over to the destination while a processor may still store to its old frame."""

    geometry = MemoryAcknowledged.geometry

    def forget_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        self.forget(vm, gfn)


class DirtyLeftBehind(Migration, DirtyFlags, EptFlagsMmu):
    """The sent copy of a page counts as valid although its dirty flag records a later store."""

    geometry = EptFlags.further_geometries[0]

    def move_contents(self, vm: Vm, gfn: Gfn) -> Cells:
        return self.destination[vm, gfn] if self.sent[vm, gfn] == Sent.THERE else super().move_contents(vm, gfn)


class PlacedTwice(OnlyPostCopy):
    """A page that arrives a second time overwrites the guest's newer stores."""

    @operation
    def place(self, vm: Vm, gfn: Gfn) -> None:
        require(self.kept[vm, gfn].under_way)
        if self.p2m[vm, gfn].mapped:
            self.memory[self.p2m[vm, gfn].mfn] = self.origin[vm, gfn]
        Migration.place(self, vm, gfn)


class DiscardedTooEarly(OnlyPostCopy):
    """The source frees its copy of a page as soon as the page is handed over."""

    def may_free_kept(self, vm: Vm, gfn: Gfn) -> bool:
        return self.kept[vm, gfn].kept and not self.kept[vm, gfn].under_way


class FreedUnderWay(OnlyPostCopy):
    """The source frees its copy of a page that it has just sent again."""

    @operation
    def free_kept(self, vm: Vm, gfn: Gfn) -> None:
        require(self.kept[vm, gfn].kept)
        require(self.p2m[vm, gfn].backing != Backing.AWAITED)
        self.scrub_kept(vm, gfn)
        self.kept[vm, gfn] = attrs.evolve(self.kept[vm, gfn], kept=False)


class LeftUnscrubbed(OnlyPostCopy):
    """The source frees its copy of a page without scrubbing it."""

    def scrub_kept(self, vm: Vm, gfn: Gfn) -> None:
        """Nothing."""


class LeftForGood(OnlyPostCopy):
    """The source keeps its copies of pages that have arrived."""

    def may_free_kept(self, vm: Vm, gfn: Gfn) -> bool:
        return False


class RunsOnBoth(OnlyPostCopy):
    """A page is handed over, and the guest continues to use the old frame."""

    @operation
    def hand_over(self, vm: Vm, gfn: Gfn) -> Reclaimed:
        entry = self.p2m[vm, gfn]
        require(self.may_hand_over(vm, gfn) and not self.kept[vm, gfn].kept)
        self.origin[vm, gfn] = self.memory[entry.mfn]
        self.release(entry.mfn)
        self.p2m[vm, gfn] = P2mEntry(Backing.AWAITED)
        self.kept[vm, gfn] = LeftBehind(kept=True)
        return Reclaimed(Reclaim.TAKEN, vm, gfn)


class FrameLeftBehind(OnlyPostCopy):
    """A page is handed over, and its old frame is never used again."""

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        """Nothing."""


class ArrivedInVain(OnlyPostCopy):
    """A page that arrives while no frame is free is dropped, and has to be fetched again."""

    @operation
    def place(self, vm: Vm, gfn: Gfn) -> None:
        require(self.kept[vm, gfn].under_way)
        if self.is_wanted(vm, gfn) and not self.lacks_frame(vm):
            self.put_in_frame(vm, gfn)
        self.kept[vm, gfn] = attrs.evolve(self.kept[vm, gfn], under_way=False)


class AwaitedPageIsAHole(OnlyPostCopy):
    """A guest accesses a page that has not arrived, and gets a missing-memory error."""

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        return Supply.HOLE


class LostInName(LiveMigration):
    """A migration fails, and pages that were sent to the lost destination count as present on the next one."""

    @operation
    def lose_destination(self, vm: Vm) -> DestinationLost:
        return DestinationLost(vm)


class PlacedWritable(LiveMigration):
    """A page that the dirty log records as sent is placed writable, and stores to it are not logged."""

    def put_in_frame(self, vm: Vm, gfn: Gfn) -> None:
        Migration.put_in_frame(self, vm, gfn)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=True)


class HeldPageGoes(Migration, Devices, ContractMmu):
    """A page is handed over while it is pinned for a device, and the device continues to store to the old frame."""

    geometry = Memory.geometry

    def may_hand_over(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn)


class PlacedInTheBalloon(Migration, Ballooning, ContractMmu):
    """A page that went into the balloon while it was in flight arrives, and becomes memory again."""

    geometry = Memory.geometry

    def is_wanted(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.p2m[vm, gfn].resident


class HintOutlivesTheStore(LiveMigration):
    """A page is hinted as free, then stored to, and is still skipped."""

    def mark(self, vm: Vm, gfn: Gfn) -> None:
        if self.sent[vm, gfn] != Sent.SKIPPED:
            DirtyLogging.mark(self, vm, gfn)


class AnotherIsCalledFree(LiveMigration):
    """A guest hints one page as free, and another page is skipped."""

    @guest
    def hint_free(self, vm: Vm, gfn: Gfn) -> CalledFree:
        other: Gfn = choose(Gfn, lambda page: page != gfn)
        super().hint_free(vm, other)
        return CalledFree(vm, gfn)


class GuessedFree(LiveMigration):
    """The monitor skips a page that its guest has not hinted as free."""

    @operation
    def guess_free(self, vm: Vm, gfn: Gfn) -> None:
        require(self.plugged[vm, gfn])
        self.called_free[vm, gfn] = True


class CalledFreeForEver(LiveMigration):
    """A page that was hinted as free counts as free whatever the guest stores there."""

    def bare_physical(self, vm: Vm, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Reply:
        was = self.called_free[vm, gfn]
        reply = super().bare_physical(vm, gfn, offset, access, value)
        self.called_free[vm, gfn] = was
        return reply


class HintTakenUnprotected(LiveMigration):
    """A hint is accepted for a page that can be stored to without being noticed."""

    def takes_hint(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn)


class HintTakenUnflushed(FreePageHinting, DirtyLogging, ContractMmuAcknowledged):
    """A hint is accepted before every processor knows that stores to the page must be noticed."""

    geometry = MemoryAcknowledged.geometry

    def takes_hint(self, vm: Vm, gfn: Gfn) -> bool:
        return self.in_frame(vm, gfn) and self.sent[vm, gfn] == Sent.PROTECTED


class SkippedButFound(LiveMigration):
    """A page that was skipped keeps its contents at the destination, although the guest was told that it would be empty."""

    def move_contents(self, vm: Vm, gfn: Gfn) -> Cells:
        contents = self.memory[self.p2m[vm, gfn].mfn]
        FreePageHinting.move_contents(self, vm, gfn)
        return contents


class MergedPageGoes(Migration, Sharing, ContractMmu):
    """A page in a shared frame is handed over, and the frame is freed although other pages still use it."""

    geometry = Memory.geometry

    def retire(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        self.frames[mfn] = Frame(Use.FREE)


MUTANTS = {
    "migration-handed-over-unflushed": Mutant(HandedOverUnflushed, "EQV-1"),
    "migration-dirty-left-behind": Mutant(DirtyLeftBehind, "EQV-1"),
    "migration-placed-twice": Mutant(PlacedTwice, "ISO-5"),
    "migration-discarded-too-early": Mutant(DiscardedTooEarly, "EQV-1"),
    "migration-freed-under-way": Mutant(FreedUnderWay, "EQV-4"),
    "migration-left-unscrubbed": Mutant(LeftUnscrubbed, "ISO-4"),
    "migration-left-for-good": Mutant(LeftForGood, "RES-3"),
    "migration-runs-on-both": Mutant(RunsOnBoth, "ISO-1"),
    "migration-frame-left-behind": Mutant(FrameLeftBehind, "RES-1"),
    "migration-arrived-in-vain": Mutant(ArrivedInVain, "EFF-2"),
    "migration-awaited-page-is-a-hole": Mutant(AwaitedPageIsAHole, "EQV-2"),
    "migration-lost-in-name": Mutant(LostInName, "EQV-4"),
    "migration-placed-writable": Mutant(PlacedWritable, "EQV-4"),
    "migration-held-page-goes": Mutant(HeldPageGoes, "ISO-1"),
    "migration-placed-in-the-balloon": Mutant(PlacedInTheBalloon, "RES-1"),
    "migration-hint-outlives-the-store": Mutant(HintOutlivesTheStore, "EQV-4"),
    "migration-called-free-for-ever": Mutant(CalledFreeForEver, "EQV-4"),
    "migration-hint-taken-unprotected": Mutant(HintTakenUnprotected, "EQV-4"),
    "migration-hint-taken-unflushed": Mutant(HintTakenUnflushed, "EQV-4"),
    "migration-skipped-but-found": Mutant(SkippedButFound, "EQV-1"),
    "migration-merged-page-goes": Mutant(MergedPageGoes, "ISO-1"),
    "migration-another-is-called-free": Mutant(AnotherIsCalledFree, "EQV-4"),
    "migration-guessed-free": Mutant(GuessedFree, "EQV-4"),
}
"""By name."""
