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
    """A 1 GiB region is mapped large if its pages lie in one block, whatever the order of the 2 MiB parts."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(
            self.p2m,
            lambda entry, of, gfn: (
                of == vm
                and self.is_covered(gfn)
                and self.lies_in(gfn, region)
                and not (
                    entry.mapped
                    and entry.writable
                    and (
                        entry.mfn == self.frame_in(block, region, gfn)
                        or (block != NOTHING and self.block_within[self.block[entry.mfn]] == block)
                    )
                )
            ),
        )


class PartOutOfOrder(EptSizes):
    """A 2 MiB region is mapped large if its pages lie in one block, whatever their order."""

    geometry = three_sizes(attrs.evolve(SMALL.resized(Vm=1, Mfn=4), only=EMPTY))

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(
            self.p2m,
            lambda entry, of, gfn: (
                of == vm
                and self.is_covered(gfn)
                and self.lies_in(gfn, region)
                and not (
                    entry.mapped
                    and entry.writable
                    and (entry.mfn == self.frame_in(block, region, gfn) or (block != NOTHING and self.block[entry.mfn] == block))
                )
            ),
        )


class HugeRememberedAfterTheSplit(EptSizes):
    """A 1 GiB entry is split for one of its pages, and a processor keeps the cached 1 GiB translation."""

    def flush_tables(self, vm: Vm) -> None:
        reset(self.small_tlb, lambda found, of, vcpu, gfn: of == vm)
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm and self.within[region] != NOTHING)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)


class PartRememberedAfterTheSplit(EptSizes):
    """A 2 MiB entry is split for one of its pages, and a processor keeps the cached 2 MiB translation."""

    def flush_tables(self, vm: Vm) -> None:
        reset(self.small_tlb, lambda found, of, vcpu, gfn: of == vm)
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm and self.within[region] == NOTHING)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)


class PageRemembered(EptSizes):
    """A flush drops only translations of large pages."""

    def flush_tables(self, vm: Vm) -> None:
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)


class EntryLeft(EptSizes):
    """Processors flush a page, and the page's entry stays in the tables."""

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.set_apart(vm, gfn)
        self.flush_tables(vm)


class TablesLeftUnderALeaf(EptSizes):
    """A table of large entries is replaced by one entry, and its old entries stay for the next table."""

    def unlink_table(self, vm: Vm, region: Region) -> None:
        table = self.upper[vm, region].table
        self.upper[vm, region] = UpperEntry()
        reset(self.lower, lambda entry, of, at: of == table)
        self.flush_tables(vm)
        self.give_up_table(table)


class TableBelowForgotten(EptSizes):
    """A table of large entries is reclaimed while one of its entries links to a table of small entries."""

    def tables_below(self, vm: Vm, region: Region) -> int:
        return 0


class SplitEmpty(EptSizes):
    """A new table is linked before it is filled, so that accesses exit until it is filled."""

    def divide(self, vm: Vm, region: Region) -> bool:
        return self.link_table(vm, region)


class FramesLeak(EptSizes):
    """A table of large entries is removed, and its frame is not freed."""

    def give_up_table(self, table: Mfn) -> None:
        if self.within[self.table_of[table].region] != NOTHING:
            super().give_up_table(table)


class HugeUnsplitStays(EptSizes):
    """A 1 GiB entry that could not be split stays, and the frame of one of its pages is freed."""

    def set_apart(self, vm: Vm, gfn: Gfn) -> None:
        if not self.upper[vm, self.within[self.region[gfn]]].large or self.divide(vm, self.within[self.region[gfn]]):
            super().set_apart(vm, gfn)


class HalfSplitStays(EptSizes):
    """A 1 GiB entry is split for a shared page, and the 2 MiB part with the shared page stays large."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        outer = self.within[self.region[gfn]]
        if self.upper[vm, outer].large and self.divide(vm, outer):
            self.flush_tables(vm)
        else:
            super().protect(vm, gfn)


class HugeMergedOverASharedPage(EptSizes):
    """2 MiB regions are merged to a 1 GiB entry although one of their pages is shared and therefore read-only."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return count(
            self.p2m,
            lambda entry, of, gfn: (
                of == vm
                and self.is_covered(gfn)
                and self.lies_in(gfn, region)
                and not (
                    entry.mapped
                    and (entry.writable or self.within[region] == NOTHING)
                    and entry.mfn == self.frame_in(block, region, gfn)
                )
            ),
        )


class PartLost(EptSizes):
    """A cached 1 GiB translation gives the frame of any of its parts, instead of the part that is accessed."""

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
    """An exit under a table of large entries is reported as served, and no entry is installed."""

    def install(self, vm: Vm, gfn: Gfn) -> Result:
        return Result.INSTALLED if self.entry_above(vm, gfn).links else super().install(vm, gfn)


class _Acknowledged(Sharing, Ballooning, EptThreeSizesAcknowledgedMmu):
    geometry = EptSizes.geometry


class LargeTableFreedAtOnce(_Acknowledged):
    """A table of large entries is freed at once, while a vCPU with a flush pending still has a pointer to it."""

    def give_up_table(self, table: Mfn) -> None:
        if self.within[self.table_of[table].region] != NOTHING:
            super().give_up_table(table)
        else:
            self.table_of[table] = TableOf()
            self.release(table)


class HugeNotAcknowledged(_Acknowledged):
    """A page of a 1 GiB page goes into the balloon before a vCPU has flushed the 1 GiB translation."""

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
