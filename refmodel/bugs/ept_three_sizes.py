"""Mutants of extended page tables with entries of three sizes: what goes wrong between two neighbouring sizes."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptSizes
from refmodel.geometries import EMPTY, SMALL, three_sizes, two_large_sizes
from refmodel.language import NOTHING, choose, count, reset
from refmodel.machine.names import Block, Gfn, Index, Mfn, Region, Vcpu, Vm
from refmodel.mmu.ept import EptEntry
from refmodel.mmu.ept_sizes import TableOf, UpperEntry
from refmodel.mmu.ept_sizes_acknowledged import EptThreeSizesAcknowledgedMmu
from refmodel.mmu.replies import Result
from refmodel.monitor.ballooning import Ballooning
from refmodel.monitor.sharing import Sharing


class HugeOutOfOrder(EptSizes):
    """The pages of a region of 1 GiB lie in one block of that size, and nobody asks in what order its parts lie."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(self.p2m, lambda entry, of, gfn: of == vm and self.is_covered(gfn) and self.lies_in(gfn, region) and not (
            entry.mapped and entry.writable and (
                entry.mfn == self.frame_in(block, region, gfn)
                or (block != NOTHING and self.block_within[self.block[entry.mfn]] == block))))


class PartOutOfOrder(EptSizes):
    """The pages of a region of 2 MiB lie in one block of that size, and nobody asks in what order."""

    geometry = three_sizes(attrs.evolve(SMALL.resized(Vm=1, Mfn=4), only=EMPTY))

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(self.p2m, lambda entry, of, gfn: of == vm and self.is_covered(gfn) and self.lies_in(gfn, region) and not (
            entry.mapped and entry.writable and (
                entry.mfn == self.frame_in(block, region, gfn)
                or (block != NOTHING and self.block[entry.mfn] == block))))


class HugeRememberedAfterTheSplit(EptSizes):
    """A page is treated apart, and a processor remembers the 1 GiB that were split for it."""

    def flush_tables(self, vm: Vm) -> None:
        reset(self.small_tlb, lambda found, of, vcpu, gfn: of == vm)
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm and self.within[region] != NOTHING)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)


class PartRememberedAfterTheSplit(EptSizes):
    """A page is treated apart, and a processor remembers the 2 MiB that were split for it."""

    def flush_tables(self, vm: Vm) -> None:
        reset(self.small_tlb, lambda found, of, vcpu, gfn: of == vm)
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm and self.within[region] == NOTHING)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)


class PageRemembered(EptSizes):
    """Only translations of large pages are forgotten."""

    def flush_tables(self, vm: Vm) -> None:
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)


class EntryLeft(EptSizes):
    """Processors forget a page, and find it in the tables again."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.set_apart(vm, gfn)
        self.flush_tables(vm)


class TablesLeftUnderALeaf(EptSizes):
    """A table of large entries gives way to one entry, and its entries are left where the next table will be."""

    def unlink_table(self, vm: Vm, region: Region) -> None:
        table = self.upper[vm, region].table
        self.upper[vm, region] = UpperEntry()
        reset(self.lower, lambda entry, of, at: of == table)
        self.flush_tables(vm)
        self.give_up_table(table)


class TableBelowForgotten(EptSizes):
    """A table of large entries is taken back while one of them links to a table of small ones."""

    def tables_below(self, vm: Vm, region: Region) -> int:
        return 0


class SplitEmpty(EptSizes):
    """A new table is led to before it is filled, and what is missing is left to exits."""

    def divide(self, vm: Vm, region: Region) -> bool:
        return self.link_table(vm, region)


class FramesLeak(EptSizes):
    """A table of large entries goes, and its frame is not given back."""

    def give_up_table(self, table: Mfn) -> None:
        if self.within[self.table_of[table].region] != NOTHING:
            super().give_up_table(table)


class HugeUnsplitStays(EptSizes):
    """A page of 1 GiB that could not be split stays mapped, and the frame of one of its pages is given back."""

    def set_apart(self, vm: Vm, gfn: Gfn) -> None:
        if not self.upper[vm, self.within[self.region[gfn]]].large or self.divide(vm, self.within[self.region[gfn]]):
            super().set_apart(vm, gfn)


class HalfSplitStays(EptSizes):
    """A page of 1 GiB is split because a page in it is shared, and the part that this page lies in stays large."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        outer = self.within[self.region[gfn]]
        if self.upper[vm, outer].large and self.divide(vm, outer):
            self.flush_tables(vm)
        else:
            super().protect(vm, gfn)


class HugeMergedOverASharedPage(EptSizes):
    """Regions of 2 MiB are merged to one of 1 GiB although a page in one of them is shared, and so read-only."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(self.p2m, lambda entry, of, gfn: of == vm and self.is_covered(gfn) and self.lies_in(gfn, region) and not (
            entry.mapped and (entry.writable or self.within[region] == NOTHING) and entry.mfn == self.frame_in(block, region, gfn)))


class PartLost(EptSizes):
    """What a processor finds out about 1 GiB leads to any of its parts: which one was asked for is lost."""

    geometry = two_large_sizes(SMALL.resized(Vm=1, Mfn=2))

    def large_page(self, block: Block, region: Region, gfn: Gfn) -> EptEntry:
        if self.within[region] != NOTHING:
            return super().large_page(block, region, gfn)
        part: Index = choose(Index, lambda part: self.block_at[block, part] != NOTHING)
        return EptEntry(True, self.frame_at[self.block_at[block, part], self.at[gfn]], True)


class SizedStoresExit(EptSizes):
    """Every store to a page that is mapped in the largest size exits."""

    def translate(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> EptEntry:
        if write and self.entry_above(vm, gfn).large:
            return EptEntry()
        return super().translate(vm, vcpu, gfn, write)


class NotInstalled(EptSizes):
    """An exit under a table of large entries is said to be served, and nothing is installed."""

    def install(self, vm: Vm, gfn: Gfn) -> Result:
        return Result.INSTALLED if self.entry_above(vm, gfn).links else super().install(vm, gfn)


class _Acknowledged(Sharing, Ballooning, EptThreeSizesAcknowledgedMmu):
    geometry = EptSizes.geometry


class LargeTableFreedAtOnce(_Acknowledged):
    """A table of large entries is freed at once, while a vCPU that was asked to forget has a pointer to it."""

    def give_up_table(self, table: Mfn) -> None:
        if self.within[self.table_of[table].region] != NOTHING:
            super().give_up_table(table)
        else:
            self.table_of[table] = TableOf()
            self.release(table)


class HugeNotAcknowledged(_Acknowledged):
    """A page in a page of 1 GiB goes into the balloon before a vCPU has forgotten the translation of all of it."""

    def forget_and_wait(self, vm: Vm, gfn: Gfn) -> None:
        self.forget(vm, gfn)


MUTANTS = {
    "sizes-huge-out-of-order": Mutant(HugeOutOfOrder, "ISO-1"),
    "sizes-part-out-of-order": Mutant(PartOutOfOrder, "ISO-1"),
    "sizes-huge-remembered-after-the-split": Mutant(HugeRememberedAfterTheSplit, "ISO-1"),
    "sizes-part-remembered-after-the-split": Mutant(PartRememberedAfterTheSplit, "ISO-1"),
    "sizes-page-remembered": Mutant(PageRemembered, "ISO-1"),
    "sizes-entry-left": Mutant(EntryLeft, "ISO-1"),
    "sizes-tables-left-under-a-leaf": Mutant(TablesLeftUnderALeaf, "ISO-3"),
    "sizes-table-below-forgotten": Mutant(TableBelowForgotten, "ISO-3"),
    "sizes-split-empty": Mutant(SplitEmpty, "EFF-2"),
    "sizes-frames-leak": Mutant(FramesLeak, "RES-2"),
    "sizes-huge-unsplit-stays": Mutant(HugeUnsplitStays, "ISO-1"),
    "sizes-half-split-stays": Mutant(HalfSplitStays, "ISO-1"),
    "sizes-huge-merged-over-a-shared-page": Mutant(HugeMergedOverASharedPage, "ISO-1"),
    "sizes-large-table-freed-at-once": Mutant(LargeTableFreedAtOnce, "ISO-3"),
    "sizes-huge-not-acknowledged": Mutant(HugeNotAcknowledged, "EQV-2"),
    "sizes-part-lost": Mutant(PartLost, "EQV-1"),
    "sizes-stores-exit": Mutant(SizedStoresExit, "EFF-1"),
    "sizes-not-installed": Mutant(NotInstalled, "EFF-2"),
}
"""By name."""
