"""Mutants of extended page tables with entries of two sizes: most need a large page and something else at once."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptTwoSizes, EptTwoSizesAcknowledged
from refmodel.language import count, fails, operation, require, reset
from refmodel.machine.names import Block, Gfn, Mfn, Region, Vcpu, Vm
from refmodel.mmu.ept import EptEntry
from refmodel.mmu.ept_sizes import EptSizesMmu, TableOf, UpperEntry
from refmodel.mmu.replies import Result, TableGone
from refmodel.monitor.access_tracking import AccessTracking
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, Supply
from refmodel.monitor.populate_on_demand import PopulateOnDemand
from refmodel.monitor.sharing import Sharing


class LargeTranslationSurvives(EptTwoSizes):
    """After a large page is split, processors flush only small translations."""

    def flush_tables(self, vm: Vm) -> None:
        reset(self.small_tlb, lambda found, of, vcpu, gfn: of == vm)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)


class PointersSurvive(EptTwoSizes):
    """Processors flush translations, and keep their cached pointers to tables."""

    def flush_tables(self, vm: Vm) -> None:
        reset(self.small_tlb, lambda found, of, vcpu, gfn: of == vm)
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm)


class ReadOnlyPagesMergedLarge(EptTwoSizes):
    """A region is mapped large although one of its pages is shared and therefore read-only."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(
            self.p2m,
            lambda entry, of, gfn: (
                of == vm
                and self.is_covered(gfn)
                and self.lies_in(gfn, region)
                and not (entry.mapped and entry.mfn == self.frame_in(block, region, gfn))
            ),
        )


class PagesOutOfOrderMergedLarge(EptTwoSizes):
    """A region is mapped large although its pages lie in the block in another order."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(
            self.p2m,
            lambda entry, of, gfn: (
                of == vm
                and self.region[gfn] == region
                and self.is_covered(gfn)
                and not (entry.mapped and entry.writable and self.block[entry.mfn] == block)
            ),
        )


class AbsentPagesMergedLarge(EptTwoSizes):
    """A region is mapped large although one of its pages is in the balloon."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(
            self.p2m,
            lambda entry, of, gfn: (
                of == vm
                and self.region[gfn] == region
                and self.is_covered(gfn)
                and entry.mapped
                and not (entry.writable and entry.mfn == self.frame_at[block, self.at[gfn]])
            ),
        )


class LargeEntryStaysWhereSplitFails(EptTwoSizes):
    """A page is write-protected, no frame is free for the table that splits its large entry, and the large entry stays."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        if not self.upper[vm, self.region[gfn]].large or self.divide(vm, self.region[gfn]):
            super().protect(vm, gfn)


class EntriesLeftInAFreedTable(EptTwoSizes):
    """A table is replaced by a large entry, and is freed with its entries present."""

    def unlink_table(self, vm: Vm, region: Region) -> None:
        table = self.upper[vm, region].table
        self.upper[vm, region] = UpperEntry()
        self.flush_tables(vm)
        self.give_up_table(table)


class SmallTableLost(EptTwoSizes):
    """A table is replaced by a large entry, and its frame is never freed."""

    def give_up_table(self, table: Mfn) -> None:
        self.table_of[table] = TableOf()


class InstalledInNoTable(EptTwoSizes):
    """An EPT violation is reported as served although no frame was free for a table."""

    def install(self, vm: Vm, gfn: Gfn) -> Result:
        super().install(vm, gfn)
        return Result.INSTALLED


class SmallWritesExit(EptTwoSizes):
    """Small entries are always read-only."""

    def install(self, vm: Vm, gfn: Gfn) -> Result:
        found = super().install(vm, gfn)
        if self.upper[vm, self.region[gfn]].present and not self.upper[vm, self.region[gfn]].large:
            table = self.upper[vm, self.region[gfn]].table
            self.lower[table, self.at[gfn]] = attrs.evolve(self.lower[table, self.at[gfn]], writable=False)
        return found


class SmallTableFreedAtOnce(EptTwoSizesAcknowledged):
    """A table that is no longer linked is freed at once, while a vCPU still has a pointer to it."""

    def give_up_table(self, table: Mfn) -> None:
        self.table_of[table] = TableOf()
        self.release(table)


class LargeTranslationsNotAcknowledged(EptTwoSizesAcknowledged):
    """A vCPU acknowledges a flush, and keeps its large translations."""

    @operation
    def acknowledge(self, vm: Vm, vcpu: Vcpu) -> None:
        require(self.asked[vm, vcpu])
        reset(self.small_tlb, lambda found, of, on, gfn: of == vm and on == vcpu)
        reset(self.pointers, lambda found, of, on, region: of == vm and on == vcpu)
        self.asked[vm, vcpu] = False


class SharedBeforeOthersForgot(EptTwoSizesAcknowledged):
    """A page of a large page is shared before every vCPU knows that it is read-only."""

    def protect_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        self.withdraw_write(vm, gfn)


class FreedBeforeOthersForgot(EptTwoSizesAcknowledged):
    """A page of a large page goes into the balloon before every vCPU has flushed the large translation."""

    def forget_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        self.forget(vm, gfn)


class LargeEntryDroppedUnlinked(EptTwoSizes):
    """A region's table is reclaimed, and the upper entry still links to it."""

    @operation
    def reclaim_table(self, vm: Vm, region: Region) -> TableGone:
        entry = self.upper[vm, region]
        require(entry.links)
        self.unlink_table(vm, region)
        self.upper[vm, region] = entry
        return TableGone(entry.table)


class SmallTableKept(EptTwoSizes):
    """A region's table is said to be taken back, and the upper entry still links to it."""

    @operation
    def reclaim_table(self, vm: Vm, region: Region) -> TableGone:
        require(self.upper[vm, region].links)
        return TableGone(self.upper[vm, region].table)


class StoresToLargePagesExit(EptTwoSizes):
    """Every store to a large page exits."""

    def translate(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> EptEntry:
        if write and self.upper[vm, self.region[gfn]].large:
            return EptEntry()
        return super().translate(vm, vcpu, gfn, write)


# ---------------------------------------------------------------- half way


class PopulatedHalfWay(EptTwoSizes):
    """A page gets a frame, and no frame is free for its table. The frame stays used, and the guest does not get the page."""

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].backing == Backing.ABSENT)
        if self.give_frame(vm, gfn) and not fails("table frame"):
            self.plug(vm, gfn)


class UndoneHalfWay(EptTwoSizes):
    """A page gets a frame, and no frame is free for its table. The page's frame is freed, and the p2m still names it."""

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].backing == Backing.ABSENT)
        if self.give_frame(vm, gfn):
            self.plug(vm, gfn)
            if fails("table frame"):
                self.release(self.p2m[vm, gfn].mfn)


class TableLostInASplit(EptTwoSizes):
    """A split is abandoned after its table was allocated, and the table's frame is never freed."""

    def divide(self, vm: Vm, region: Region) -> bool:
        if fails("log") and not self.lacks_frame(vm, "table frame"):
            self.frames[self.free_frame(vm)] = Frame(Use.TABLE, vm)
            return False
        return super().divide(vm, region)


# ---------------------------------------------------------------- with other mechanisms


class PromisesAreHoles(PopulateOnDemand, EptSizesMmu):
    """A guest accesses a populate-on-demand page, and gets a missing-memory error."""

    geometry = EptTwoSizes.geometry

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        return Supply.HOLE


class IdleButMappedLarge(AccessTracking, EptSizesMmu):
    """A page of a large entry is withdrawn for access tracking, and the large entry stays."""

    geometry = EptTwoSizes.geometry

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        if self.small_entry(vm, gfn).present:
            super().forget(vm, gfn)


class WokenWritable(AccessTracking, Sharing, EptSizesMmu):
    """A page that was withdrawn for access tracking is restored with all rights, even if it is shared now."""

    geometry = EptTwoSizes.geometry

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        found = super().bring(vm, gfn)
        if found == Supply.READY:
            self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=True)
        return found


MUTANTS = {
    "two-sizes-large-translation-survives": Mutant(LargeTranslationSurvives, "ISO-1"),
    "two-sizes-pointers-survive": Mutant(PointersSurvive, "ISO-3"),
    "two-sizes-read-only-pages-merged": Mutant(ReadOnlyPagesMergedLarge, "ISO-2"),
    "two-sizes-merged-out-of-order": Mutant(PagesOutOfOrderMergedLarge, "ISO-1"),
    "two-sizes-absent-pages-merged": Mutant(AbsentPagesMergedLarge, "ISO-1"),
    "two-sizes-unsplit-stays": Mutant(LargeEntryStaysWhereSplitFails, "ISO-1"),
    "two-sizes-entries-left": Mutant(EntriesLeftInAFreedTable, "ISO-3"),
    "two-sizes-table-lost": Mutant(SmallTableLost, "RES-2"),
    "two-sizes-installed-in-no-table": Mutant(InstalledInNoTable, "EFF-2"),
    "two-sizes-small-read-only": Mutant(SmallWritesExit, "EFF-2"),
    "two-sizes-still-linked": Mutant(LargeEntryDroppedUnlinked, "ISO-3"),
    "two-sizes-table-kept": Mutant(SmallTableKept, "RES-3"),
    "two-sizes-stores-exit": Mutant(StoresToLargePagesExit, "EFF-1"),
    "two-sizes-table-freed-at-once": Mutant(SmallTableFreedAtOnce, "ISO-3"),
    "two-sizes-large-not-acknowledged": Mutant(LargeTranslationsNotAcknowledged, "ISO-1"),
    "two-sizes-shared-before-others-forgot": Mutant(SharedBeforeOthersForgot, "ISO-2"),
    "two-sizes-freed-before-others-forgot": Mutant(FreedBeforeOthersForgot, "EQV-2"),
    "two-sizes-populated-half-way": Mutant(PopulatedHalfWay, "EQV-1"),
    "two-sizes-undone-half-way": Mutant(UndoneHalfWay, "ISO-1"),
    "two-sizes-table-lost-in-a-split": Mutant(TableLostInASplit, "RES-2"),
    "two-sizes-promises-are-holes": Mutant(PromisesAreHoles, "EQV-2"),
    "two-sizes-idle-but-mapped": Mutant(IdleButMappedLarge, "ISO-1"),
    "two-sizes-woken-writable": Mutant(WokenWritable, "ISO-2"),
}
"""By name."""
