"""EPT with entries of several sizes, 4 KiB, 2 MiB and 1 GiB, over the ordinary p2m.

The p2m says of each page by itself where it lies. A *large* entry is used where all pages of a region lie in one block, in order,
and may be written to. Where one page is to be protected or taken away apart from the others, the large entry is *split*: it gives
way to a table of entries of the next smaller size that say the same. That takes a frame for the table. Where none can be had the
large entry goes, and comes back page by page, so that neither ``protect`` nor ``forget`` can fail. A table that links to no other
gives way to one large entry again where that fits (Linux: ``kvm_mmu_hugepage_adjust``, ``tdp_mmu_split_huge_page``,
``kvm_tdp_mmu_zap_collapsible_sptes``).

The processor may remember translations of every size, and which table an entry links to, so that it need not read the entries above
again (SDM Vol. 3C 28.4.1). So a table that is linked no more is a table for as long as a processor may have a pointer to it.

How many sizes there are, the parts of addresses say. All else is one text for two and for three.
"""

from typing import ClassVar

import attrs

from refmodel.bare import Seen
from refmodel.language import NOTHING, Total, assign, cached, choose, count, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Block, Gfn, Index, Mfn, Region, Vcpu, Vm
from refmodel.mmu.address_parts import AddressParts, ThreeSizes
from refmodel.mmu.ept import EptEntry
from refmodel.mmu.replies import Handled, Result, TableGone
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import P2m, Supply


@attrs.frozen
class UpperEntry:
    """The entry for a region: none, a large page, or a link to a table of smaller entries."""

    present: bool = False
    large: bool = False
    block: Block = NOTHING
    table: Mfn = NOTHING

    @property
    def links(self) -> bool:
        """Whether there is a table below."""
        return self.present and not self.large


@attrs.frozen
class TableOf:
    """The monitor's record of a table: whose it is, and the region whose parts its entries map."""

    vm: Vm = NOTHING
    region: Region = NOTHING


@attrs.frozen
class SmallTranslation:
    """What a processor has cached of a page."""

    present: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False
    dirty: bool = False
    """Whether the entry's dirty flag was set, if it has one: a store need not set it again."""


@attrs.frozen
class LargeTranslation:
    """What a processor has cached of a region: where all of it lies."""

    valid: bool = False
    block: Block = NOTHING
    dirty: bool = False


@attrs.frozen
class TablePointer:
    """What a processor's paging-structure cache has of a region: the table to which its entry links."""

    valid: bool = False
    table: Mfn = NOTHING


@attrs.frozen
class Resized:
    """Pages of a VM are mapped in another size, and a table that they do not need any more is gone."""

    vm: Vm
    table: Mfn = NOTHING


class EptSizesMmu(AddressParts, P2m):
    upper: Total[tuple[Vm, Region], UpperEntry]
    """The entries of tables of large entries, each by the region that it is for."""
    lower: Total[tuple[Mfn, Index], EptEntry]
    """The entries of each table of small ones. A frame that is no table holds none."""
    table_of: Total[Mfn, TableOf]
    small_tlb: Total[tuple[Vm, Vcpu, Gfn], SmallTranslation]
    large_tlb: Total[tuple[Vm, Vcpu, Region], LargeTranslation]
    pointers: Total[tuple[Vm, Vcpu, Region], TablePointer]

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"ept_violation": ("load_physical",)}

    # ------------------------------------------------------------ the hardware

    def entry_above(self, vm: Vm, gfn: Gfn) -> UpperEntry:
        """The entry for the largest region that a page lies in, where that is in two."""
        return self.upper[vm, self.larger(self.region[gfn])]

    def is_reached(self, vm: Vm, region: Region) -> bool:
        """Whether a walk gets to the entry for a region."""
        return self.larger(region) == NOTHING or self.upper[vm, self.larger(region)].links

    def small_entry(self, vm: Vm, gfn: Gfn) -> EptEntry:
        """The entry for a page in the table that its region's entry links to."""
        return self.lower[self.upper[vm, self.region[gfn]].table, self.at[gfn]]

    def installed(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        """Whether the tables give this access, so that it needs no exit."""
        entry, small = self.upper[vm, self.region[gfn]], self.small_entry(vm, gfn)
        return self.is_covered(gfn) and (
            self.entry_above(vm, gfn).large
            or (
                self.is_reached(vm, self.region[gfn])
                and entry.present
                and (entry.large or (small.present and (small.writable or not write)))
            )
        )

    def translate(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> EptEntry:
        """From a cache of any size, by a pointer to the table, or by a walk; not present if the access exits."""
        region = self.region[gfn]
        is_cached = self.large_serves(vm, vcpu, region, write) or self.large_serves(vm, vcpu, self.larger(region), write)
        if is_cached and self.is_covered(gfn) and cached("large translation"):
            size: Region = choose(Region, lambda size: self.lies_in(gfn, size) and self.large_serves(vm, vcpu, size, write))
            return self.large_page(self.large_tlb[vm, vcpu, size].block, size, gfn)
        if self.small_serves(vm, vcpu, gfn, write) and cached("small translation"):
            found = self.small_tlb[vm, vcpu, gfn]
            return EptEntry(True, found.mfn, found.writable)
        pointer = self.pointers[vm, vcpu, region]
        below = self.lower[pointer.table, self.at[gfn]]
        if pointer.valid and self.is_covered(gfn) and below.present and (below.writable or not write) and cached("pointer"):
            return self.use_small(vm, vcpu, gfn, pointer.table, write)
        if not self.installed(vm, gfn, write):
            return EptEntry()
        return self.walk(vm, vcpu, gfn, write)

    def large_serves(self, vm: Vm, vcpu: Vcpu, region: Region, write: bool) -> bool:
        """Whether an access can go by what the processor has cached of a region. (A large entry lets every access through.)"""
        return self.large_tlb[vm, vcpu, region].valid

    def small_serves(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> bool:
        """Whether an access can go by what the processor has cached of a page."""
        found = self.small_tlb[vm, vcpu, gfn]
        return found.present and (found.writable or not write)

    def large_page(self, block: Block, region: Region, gfn: Gfn) -> EptEntry:
        """What a large entry says of one page."""
        return EptEntry(True, self.frame_in(block, region, gfn), True)

    def walk(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, write: bool) -> EptEntry:
        """What is found is remembered in its size, and so are the tables on the way. (A pointer to a table of large entries leads
        where a walk gets, or to a table that was given up, which has no entries.)"""
        region, size = self.region[gfn], self.first_large(vm, gfn)
        self.remember_table(vm, vcpu, region if self.larger(region) == NOTHING else self.larger(region))
        if self.upper[vm, size].large:
            return self.use_large(vm, vcpu, gfn, size, write)
        self.remember_table(vm, vcpu, region)
        return self.use_small(vm, vcpu, gfn, self.upper[vm, region].table, write)

    def use_large(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, region: Region, write: bool) -> EptEntry:
        """An access goes by the large entry for a region, which the processor remembers."""
        block = self.upper[vm, region].block
        self.large_tlb[vm, vcpu, region] = LargeTranslation(True, block)
        return self.large_page(block, region, gfn)

    def use_small(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, table: Mfn, write: bool) -> EptEntry:
        """An access goes by a page's entry in a table, which the processor remembers."""
        entry = self.lower[table, self.at[gfn]]
        self.small_tlb[vm, vcpu, gfn] = SmallTranslation(True, entry.mfn, entry.writable)
        return entry

    def first_large(self, vm: Vm, gfn: Gfn) -> Region:
        """The largest region of a page's that is mapped large; where there is none, the smallest."""
        return self.larger(self.region[gfn]) if self.entry_above(vm, gfn).large else self.region[gfn]

    def remember_table(self, vm: Vm, vcpu: Vcpu, region: Region) -> None:
        """If the entry for a region links to a table, the processor has a pointer to it."""
        entry, pointer = self.upper[vm, region], self.pointers[vm, vcpu, region]
        self.pointers[vm, vcpu, region] = TablePointer(True, entry.table) if entry.links else pointer

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

    @pending(
        "EFF-2",
        "If the p2m allows an access and the region has an EPT table, serving the EPT violation installs the missing EPT entry.",
        until="ept_violation",
    )
    def entry_not_installed(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        return (
            self.is_covered(gfn)
            and self.is_reached(vm, self.region[gfn])
            and self.upper[vm, self.region[gfn]].links
            and self.lets_through(vm, gfn, write)
            and not self.installed(vm, gfn, write)
        )

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
        """In the largest size that fits, unless there is a table of smaller entries already."""
        entry, region, outer = self.p2m[vm, gfn], self.region[gfn], self.larger(self.region[gfn])
        block = self.block[entry.mfn]
        if outer != NOTHING and not self.upper[vm, outer].present:
            if self.fits(vm, outer, self.larger_block(block)):
                self.upper[vm, outer] = UpperEntry(True, True, self.larger_block(block))
                return Result.INSTALLED
            if not self.link_table(vm, outer):
                return Result.FAILED
        if not self.upper[vm, region].present:
            if self.fits(vm, region, block):
                self.upper[vm, region] = UpperEntry(True, True, block)
                return Result.INSTALLED
            if not self.link_table(vm, region):
                return Result.FAILED
        self.lower[self.upper[vm, region].table, self.at[gfn]] = EptEntry(True, entry.mfn, entry.writable)
        return Result.INSTALLED

    def fits(self, vm: Vm, region: Region, block: Block) -> bool:
        """Whether one large entry says of each page of a region what the p2m says, and nobody wants one of them mapped apart."""
        return self.misfits(vm, region, block) == 0 and self.kept_apart(vm, region) == 0

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        """How many pages of a region do not lie in a block, in order, or may not be written to."""
        return count(
            self.p2m,
            lambda entry, of, gfn: (
                of == vm
                and self.is_covered(gfn)
                and self.lies_in(gfn, region)
                and not (entry.mapped and entry.writable and entry.mfn == self.frame_in(block, region, gfn))
            ),
        )

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
    def split(self, vm: Vm, region: Region) -> Resized:
        """Eagerly, as before pages are logged one by one; nothing is done if no table can be had."""
        require(self.upper[vm, region].large)
        self.divide(vm, region)
        return Resized(vm)

    def divide(self, vm: Vm, region: Region) -> bool:
        """One large entry becomes as many of the next smaller size; False, and nothing done, if no table can be had."""
        block = self.upper[vm, region].block
        if not self.link_table(vm, region):
            return False
        table = self.upper[vm, region].table
        assign(
            self.upper,
            lambda entry, of, part: of == vm and self.larger(part) == region and part != region,
            lambda entry, of, part: UpperEntry(True, True, self.smaller_block(part, block)),
        )
        assign(
            self.lower,
            lambda entry, of, at: (
                of == table
                and self.is_covered(self.page_at[region, at])
                and self.region[self.page_at[region, at]] == region
                and self.at[self.page_at[region, at]] == at
            ),
            lambda entry, of, at: EptEntry(True, self.frame_at[block, at], True),
        )
        return True

    @operation
    def merge(self, vm: Vm, region: Region) -> Resized:
        """A table that links to no other gives way to one large entry again."""
        require(self.upper[vm, region].links)
        require(self.tables_below(vm, region) == 0)
        block: Block = choose(Block, lambda block: self.fits(vm, region, block))
        table = self.upper[vm, region].table
        self.unlink_table(vm, region)
        self.upper[vm, region] = UpperEntry(True, True, block)
        return Resized(vm, table)

    @operation
    def reclaim_table(self, vm: Vm, region: Region) -> TableGone:
        """Take a table that links to no other back: its entries can always be made again."""
        table = self.upper[vm, region].table
        require(self.upper[vm, region].links)
        require(self.tables_below(vm, region) == 0)
        self.unlink_table(vm, region)
        return TableGone(table)

    def tables_below(self, vm: Vm, region: Region) -> int:
        """How many entries of a region's table link to tables: they go first."""
        return count(self.upper, lambda entry, of, part: of == vm and self.larger(part) == region and entry.links)

    def unlink_table(self, vm: Vm, region: Region) -> None:
        """A table that no entry links to any more is emptied, and goes when no processor has a pointer to it."""
        table = self.upper[vm, region].table
        self.upper[vm, region] = UpperEntry()
        reset(self.upper, lambda entry, of, part: of == vm and self.larger(part) == region)
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

    def is_apart(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.upper[vm, self.first_large(vm, gfn)].large

    def set_apart(self, vm: Vm, gfn: Gfn) -> None:
        """See to it that a page is not mapped by a large entry of any size: split it, and where that fails take it away. If what is
        split is of 1 GiB, the part that the page lies in is left out, and comes back by exits."""
        region, size = self.region[gfn], self.first_large(vm, gfn)
        if self.upper[vm, size].large:
            if not self.divide(vm, size):
                self.drop_large(vm, size)
            elif size != region:
                self.drop_large(vm, region)

    def drop_large(self, vm: Vm, region: Region) -> None:
        """The large entry for a region goes."""
        self.upper[vm, region] = UpperEntry()

    def drop_small(self, vm: Vm, gfn: Gfn) -> None:
        """A page's entry in its region's table goes."""
        self.lower[self.upper[vm, self.region[gfn]].table, self.at[gfn]] = EptEntry()

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
                self.drop_small(vm, gfn)
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

    def have_acknowledged(self, vm: Vm) -> bool:
        """Whether every processor has forgotten what it was asked to forget."""
        return True


class EptThreeSizesMmu(ThreeSizes, EptSizesMmu):
    """With entries of 1 GiB too."""
