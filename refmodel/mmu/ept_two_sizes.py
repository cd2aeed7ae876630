"""EPT with entries of two sizes, 4 KiB and 2 MiB, over the ordinary p2m.

The p2m says of each page by itself where it lies. A *large* entry is used where all pages of a region lie in one block, in order,
and may be written to. Where one page is to be protected or taken away apart from the others, the large entry is *split*: it gives
way to a table of small ones that say the same. That takes a frame for the table. Where none can be had the large entry goes, and
comes back page by page, so that neither ``protect`` nor ``forget`` can fail. A table gives way to one large entry again where
that fits (Linux: ``kvm_mmu_hugepage_adjust``, ``tdp_mmu_split_huge_page``, ``kvm_tdp_mmu_zap_collapsible_sptes``).

The processor may remember small and large translations, and which table an entry links to, so that it need not read the upper entry
again (SDM Vol. 3C 28.4.1). So a table that is linked no more is a table for as long as a processor may have a pointer to it.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Seen
from refmodel.language import NOTHING, Total, assign, cached, choose, count, guest, operation, require, reset
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Block, Gfn, Index, Mfn, Region, Vcpu, Vm
from refmodel.mmu.address_parts import AddressParts
from refmodel.mmu.ept import EptEntry
from refmodel.mmu.replies import Handled, Result
from refmodel.monitor.frames import Frame, Frames, Use
from refmodel.monitor.p2m import P2m, Supply


@attrs.frozen
class UpperEntry:
    """An entry of the upper table: none, a large page, or a link to a table of small ones."""

    present: bool = False
    large: bool = False
    block: Block = NOTHING
    table: Mfn = NOTHING


@attrs.frozen
class TableOf:
    """The monitor's record of a table: whose it is, and the region whose small entries it holds."""

    vm: Vm = NOTHING
    region: Region = NOTHING


@attrs.frozen
class LargeTranslation:
    """What a processor has cached of a region: where all of it lies."""

    valid: bool = False
    block: Block = NOTHING


@attrs.frozen
class TablePointer:
    """What a processor's paging-structure cache has of a region: the table to which its upper entry links."""

    valid: bool = False
    table: Mfn = NOTHING


class EptTwoSizesMmu(AddressParts, P2m):
    upper: Total[tuple[Vm, Region], UpperEntry]
    lower: Total[tuple[Mfn, Index], EptEntry]
    """The entries of each table of small ones. A frame that is no table holds none."""
    table_of: Total[Mfn, TableOf]
    small_tlb: Total[tuple[Vm, Vcpu, Gfn], EptEntry]
    large_tlb: Total[tuple[Vm, Vcpu, Region], LargeTranslation]
    pointers: Total[tuple[Vm, Vcpu, Region], TablePointer]

    arbitrary: ClassVar[tuple[str, ...]] = (*Frames.arbitrary, *AddressParts.arbitrary)
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"ept_violation": ("load_physical",)}

    # ------------------------------------------------------------ the hardware

    def small_entry(self, vm: Vm, gfn: Gfn) -> EptEntry:
        """The entry for a page in the table that its region's upper entry links to."""
        return self.lower[self.upper[vm, self.region[gfn]].table, self.at[gfn]]

    def installed(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether the tables give this access, so that it needs no exit."""
        entry, small = self.upper[vm, self.region[gfn]], self.small_entry(vm, gfn)
        return self.is_covered(gfn) and entry.present and (entry.large or (small.present and (small.writable or not write)))

    def translate(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> EptEntry:
        """From a cache of either size, by a pointer to the table, or by a walk; not present if the access exits."""
        region, at = self.region[gfn], self.at[gfn]
        large, small = self.large_tlb[vm, vcpu, region], self.small_tlb[vm, vcpu, gfn]
        if large.valid and self.is_covered(gfn) and cached("large translation"):
            return EptEntry(True, self.frame_at[large.block, at], True)
        if small.present and (small.writable or not write) and cached("small translation"):
            return small
        pointer = self.pointers[vm, vcpu, region]
        below = self.lower[pointer.table, at]
        if pointer.valid and self.is_covered(gfn) and below.present and (below.writable or not write) and cached("pointer"):
            self.small_tlb[vm, vcpu, gfn] = below
            return below
        if not self.installed(vm, gfn, write):
            return EptEntry()
        return self.walk(vm, vcpu, gfn)

    def walk(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> EptEntry:
        """What is found is remembered in its size."""
        region, entry = self.region[gfn], self.upper[vm, self.region[gfn]]
        if entry.large:
            self.large_tlb[vm, vcpu, region] = LargeTranslation(True, entry.block)
            return EptEntry(True, self.frame_at[entry.block, self.at[gfn]], True)
        self.pointers[vm, vcpu, region] = TablePointer(True, entry.table)
        self.small_tlb[vm, vcpu, gfn] = self.small_entry(vm, gfn)
        return self.small_entry(vm, gfn)

    def execute(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        write = access == Access.WRITE
        found = self.translate(vm, vcpu, gfn, write)
        if not found.present:
            return Seen(gfn=gfn, write=write)
        due = self.bare_physical(vm, gfn, offset, access, value)
        return Seen(self.touch(found.mfn, offset, access, value), due, gfn, write)

    @guest
    def load_physical(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index) -> Seen:
        return self.execute(vm, vcpu, gfn, offset, Access.READ, Cell())

    @guest
    def store_physical(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute(vm, vcpu, gfn, offset, Access.WRITE, value)

    # ------------------------------------------------------------ exits

    @operation
    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        """Install what an access lacked, once memory management has supplied it."""
        require(not self.installed(vm, gfn, write))
        if not self.is_covered(gfn):
            return Handled(Result.FAILED, vm, gfn, write)
        found = self.supply(vm, gfn, write)
        if found == Supply.HOLE:
            return Handled(Result.HOLE, vm, gfn, write)
        if found == Supply.LATER:
            return Handled(Result.FAILED, vm, gfn, write)
        return Handled(self.install(vm, gfn), vm, gfn, write)

    def install(self, vm: Vm, gfn: Gfn) -> Result:
        """In the largest size that fits, unless there is a table of small entries already."""
        entry, region = self.p2m[vm, gfn], self.region[gfn]
        if not self.upper[vm, region].present and self.fits(vm, region, self.block[entry.mfn]):
            self.upper[vm, region] = UpperEntry(True, True, self.block[entry.mfn])
            return Result.INSTALLED
        if not self.upper[vm, region].present and not self.link_table(vm, region):
            return Result.FAILED
        self.lower[self.upper[vm, region].table, self.at[gfn]] = EptEntry(True, entry.mfn, entry.writable)
        return Result.INSTALLED

    def fits(self, vm: Vm, region: Region, block: Block) -> bool:
        """Whether one large entry says of each page of a region what the p2m says."""
        return self.misfits(vm, region, block) == 0

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        """How many pages of a region do not lie in a block, in order, or may not be written to."""
        return count(self.p2m, lambda entry, of, gfn: of == vm and self.region[gfn] == region and self.is_covered(gfn) and not (
            entry.mapped and entry.writable and entry.mfn == self.frame_at[block, self.at[gfn]]))

    def link_table(self, vm: Vm, region: Region) -> bool:
        """Give a region an empty table; False, and nothing done, if no frame can be had."""
        if self.lacks_frame(vm, "table frame"):
            return False
        mfn = self.free_frame(vm)
        self.frames[mfn] = Frame(Use.TABLE, vm)
        self.table_of[mfn] = TableOf(vm, region)
        self.upper[vm, region] = UpperEntry(True, table=mfn)
        return True

    # ------------------------------------------------------------ sizes

    @operation
    def split(self, vm: Vm, region: Region) -> None:
        """Eagerly, as before pages are logged one by one; nothing is done if no table can be had."""
        require(self.upper[vm, region].large)
        self.divide(vm, region)

    def divide(self, vm: Vm, region: Region) -> bool:
        """One large entry becomes as many small ones; False, and nothing done, if no table can be had."""
        block = self.upper[vm, region].block
        if not self.link_table(vm, region):
            return False
        table = self.upper[vm, region].table
        assign(self.lower, lambda entry, of, at: of == table and self.is_covered(self.page_at[region, at])
               and self.region[self.page_at[region, at]] == region and self.at[self.page_at[region, at]] == at,
               lambda entry, of, at: EptEntry(True, self.frame_at[block, at], True))
        return True

    @operation
    def merge(self, vm: Vm, region: Region) -> None:
        """A table of small entries gives way to one large entry again."""
        entry = self.upper[vm, region]
        require(entry.present and not entry.large)
        block: Block = choose(Block, lambda block: self.fits(vm, region, block))
        self.upper[vm, region] = UpperEntry(True, True, block)
        self.unlink_table(vm, entry.table)

    @operation
    def reclaim_table(self, vm: Vm, region: Region) -> None:
        """Take a table of small entries back: they can always be made again."""
        entry = self.upper[vm, region]
        require(entry.present and not entry.large)
        self.upper[vm, region] = UpperEntry()
        self.unlink_table(vm, entry.table)

    def unlink_table(self, vm: Vm, table: Mfn) -> None:
        """A table that no upper entry links to any more is emptied, and goes when no processor has a pointer to it."""
        reset(self.lower, lambda entry, of, at: of == table)
        self.flush_tables(vm)
        self.give_up_table(table)

    def give_up_table(self, table: Mfn) -> None:
        """No processor has a pointer to a table."""
        self.table_of[table] = TableOf()
        self.release(table)

    def is_given_up(self, mfn: Mfn) -> bool:
        """Whether a table is linked no more, and a processor may not know."""
        return False

    def is_table(self, mfn: Mfn) -> bool:
        of = self.table_of[mfn]
        return self.is_given_up(mfn) or self.upper[of.vm, of.region].table == mfn

    # ------------------------------------------------------------ one page apart from the others

    def set_apart(self, vm: Vm, gfn: Gfn) -> None:
        """See to it that a page is not mapped by a large entry: split it, and where that fails take it away."""
        if self.upper[vm, self.region[gfn]].large and not self.divide(vm, self.region[gfn]):
            self.upper[vm, self.region[gfn]] = UpperEntry()

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        if self.is_covered(gfn):
            self.set_apart(vm, gfn)
            if self.upper[vm, self.region[gfn]].present:
                table = self.upper[vm, self.region[gfn]].table
                self.lower[table, self.at[gfn]] = attrs.evolve(self.lower[table, self.at[gfn]], writable=False)
            self.flush_tables(vm)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        if self.is_covered(gfn):
            self.set_apart(vm, gfn)
            if self.upper[vm, self.region[gfn]].present:
                self.lower[self.upper[vm, self.region[gfn]].table, self.at[gfn]] = EptEntry()
            self.flush_tables(vm)

    # ------------------------------------------------------------ flushing

    def flush_tables(self, vm: Vm) -> None:
        """Every processor is to forget what it has of a VM: at once."""
        reset(self.small_tlb, lambda found, of, vcpu, gfn: of == vm)
        reset(self.large_tlb, lambda found, of, vcpu, region: of == vm)
        reset(self.pointers, lambda found, of, vcpu, region: of == vm)

    def is_asked(self, vm: Vm, vcpu: Vcpu) -> bool:
        """Whether a processor was asked to forget, and has not acknowledged yet."""
        return False
