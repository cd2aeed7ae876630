"""EPT with large mappings: one entry for a whole region where its pages lie in one block of machine memory, in order.

A guest frame is a region and an index, a machine frame a block and an index. Tables of small entries come from a pool that may be
empty. To treat one page of a large mapping apart (to take it away, to
write-protect it) the mapping is *split*: that takes a table, and can fail, and then nothing may have changed. When all pages
agree again, mappings are *merged*; the table is unlinked at once, but a processor may hold a pointer to it (its paging-structure
cache), so it is *dying* until everybody has flushed. (SDM Vol. 3C 28.3.2 and 28.4; Xen's ``p2m-ept.c``; KVM's ``tdp_mmu.c``.)

Over it lie the mechanisms that care how large a page is: a balloon whose unit is a small page while the host discards blocks,
regions populated on demand, and a dirty log kept by the hardware's dirty flags, of which a large entry has one for all its pages.
"""

import enum

import attrs

from refmodel.language import NOTHING, Total, assign, choose, count, fails, guest, operation, require, reset
from refmodel.machine.cells import Flags, both
from refmodel.machine.names import Block, Index, Region, Table, Vm
from refmodel.mmu.ept_large_walk import LargeWalk, Place, Upper


@attrs.frozen
class Unit:
    """The monitor's record of a small machine frame: the page that it stands behind."""

    used: bool = False
    vm: Vm = NOTHING
    region: Region = NOTHING
    page: Index = NOTHING


class Life(enum.Enum):
    FREE = "free"
    LINKED = "linked"
    DYING = "dying"


@attrs.frozen
class TableUse:
    """What a table is for."""

    life: Life = Life.FREE
    vm: Vm = NOTHING
    region: Region = NOTHING


class Outcome(enum.Enum):
    INSTALLED = "installed"
    HOLE = "no memory there"
    FAILED = "allocation failed"
    RETRY = "the page is on its way"


@attrs.frozen
class Given:
    """Whether something was done; if not, nothing has changed."""

    done: bool


@attrs.frozen
class RegionHandled:
    """What came of an exit."""

    result: Outcome
    vm: Vm
    region: Region
    page: Index
    write: bool


class EptLargeMmu(LargeWalk):
    units: Total[tuple[Block, Index], Unit]
    p2m: Total[tuple[Vm, Region, Index], Place]
    plugged: Total[tuple[Vm, Region, Index], bool]
    """Where the guest believes that it has memory."""
    on_demand: Total[tuple[Vm, Region, Index], bool]
    """Pages that the guest was promised, and that get frames when they are touched."""
    inflated: Total[tuple[Vm, Region, Index], bool]
    """The pages in the balloon."""
    tables: Total[Table, TableUse]
    log: Total[tuple[Vm, Region, Index], Flags]
    """The dirty log; and whether a page was touched, by flags that are gone since its age was taken."""
    covered: Total[Region, bool]
    """Which guest frame numbers the tables can hold at all."""

    arbitrary = ("covered",)

    # ------------------------------------------------------------ memory comes and goes

    @operation
    def populate(self, vm: Vm, region: Region, page: Index) -> Given:
        """The monitor gives a VM one page it never had, any frame."""
        require(not self.p2m[vm, region, page].mapped)
        require(not self.plugged[vm, region, page])
        require(not self.inflated[vm, region, page])
        if not self.covered[region] or fails("frame"):
            return Given(False)
        self.place_page(vm, region, page)
        self.plugged[vm, region, page] = True
        return Given(True)

    @operation
    def refill(self, vm: Vm, region: Region, page: Index) -> Given:
        """A page in the balloon whose frame was given back gets one again, so that the guest can have it."""
        require(self.inflated[vm, region, page])
        require(not self.p2m[vm, region, page].mapped)
        if fails("frame"):
            return Given(False)
        self.place_page(vm, region, page)
        return Given(True)

    def place_page(self, vm: Vm, region: Region, page: Index) -> None:
        """Put any free frame behind a page."""
        block: Block = choose(Block, lambda block: True)
        at: Index = choose(Index, lambda at: not self.units[block, at].used)
        self.place(vm, region, page, block, at)

    def place(self, vm: Vm, region: Region, page: Index, block: Block, at: Index) -> None:
        self.units[block, at] = Unit(True, vm, region, page)
        self.p2m[vm, region, page] = Place(True, block, at, True)

    @operation
    def populate_region(self, vm: Vm, region: Region, on_demand: bool) -> Given:
        """The monitor gives a VM a whole region: one block, or, on demand, the promise of it."""
        require(self.covered[region])
        require(self.pages_of(vm, region) == 0)
        if on_demand:
            assign(self.on_demand, lambda promised, v, r, page: v == vm and r == region, True)
        elif fails("block"):
            return Given(False)
        else:
            self.place_block(vm, region)
        assign(self.plugged, lambda plugged, v, r, page: v == vm and r == region, True)
        return Given(True)

    def place_block(self, vm: Vm, region: Region) -> None:
        """Put a free block behind a region, page by page."""
        block: Block = choose(Block, lambda block: self.used_of(block) == 0)
        assign(self.units, lambda unit, b, at: b == block, lambda unit, b, at: Unit(True, vm, region, at))
        assign(self.p2m, lambda place, v, r, page: v == vm and r == region,
               lambda place, v, r, page: Place(True, block, page, True))

    def pages_of(self, vm: Vm, region: Region) -> int:
        """How many pages of a region the guest has, or has in its balloon."""
        return (count(self.plugged, lambda plugged, v, r, page: v == vm and r == region and plugged)
                + count(self.inflated, lambda inflated, v, r, page: v == vm and r == region and inflated)
                + count(self.p2m, lambda place, v, r, page: v == vm and r == region and place.mapped))

    def used_of(self, block: Block) -> int:
        return count(self.units, lambda unit, b, at: b == block and unit.used)

    # ------------------------------------------------------------ large and small

    def in_order(self, vm: Vm, region: Region, block: Block) -> bool:
        """Whether a region's pages lie in a block, in order, and may be written to."""
        return count(self.p2m, lambda place, v, r, page: v == vm and r == region and not (
            place.mapped and place.writable and place.block == block and place.at == page)) == 0

    def split(self, vm: Vm, region: Region) -> bool:
        """See to it that a region is not mapped large; False, and nothing done, if no table can be had. The new table is
        empty: what was mapped will be asked for again."""
        entry = self.upper[vm, region]
        if not entry.large:
            return True
        if fails("table"):
            return False
        table = self.free_table()
        self.tables[table] = TableUse(Life.LINKED, vm, region)
        self.log_large(vm, region, entry)
        self.upper[vm, region] = Upper(True, table=table)
        self.flush_after_split(vm)
        return True

    def flush_after_split(self, vm: Vm) -> None:
        """Processors may hold the large mapping, with more rights than its parts will have."""
        self.flush_now(vm)

    def free_table(self) -> Table:
        table: Table = choose(Table, lambda table: self.tables[table].life == Life.FREE)
        return table

    @operation
    def merge(self, vm: Vm, region: Region) -> None:
        """Map a region large again. The table is unlinked, and freed when no processor can hold a pointer to it."""
        entry = self.upper[vm, region]
        require(entry.present and not entry.large)
        block: Block = choose(Block, lambda block: self.in_order(vm, region, block))
        self.upper[vm, region] = Upper(True, True, block, Flags(True, True))
        self.unlink(entry.table, vm, region)

    def unlink(self, table: Table, vm: Vm, region: Region) -> None:
        self.tables[table] = TableUse(Life.DYING, vm, region)

    @operation
    def reclaim(self, table: Table) -> None:
        """A dying table is free once no processor holds a pointer to it."""
        require(self.tables[table].life == Life.DYING)
        require(count(self.pointers, lambda pointer, cpu, vm, region: pointer.valid and pointer.table == table) == 0)
        self.free(table)

    def free(self, table: Table) -> None:
        self.tables[table] = TableUse()
        reset(self.lower, lambda place, t, page: t == table)
        reset(self.lower_flags, lambda flags, t, page: t == table)

    # ------------------------------------------------------------ exits

    @operation
    def ept_violation(self, vm: Vm, region: Region, page: Index, write: bool) -> RegionHandled:
        """Install what an access lacked: large where the pages lie in order."""
        require(not self.lets(vm, region, page, write))
        if self.woken(vm, region, page, write):
            return RegionHandled(Outcome.INSTALLED, vm, region, page, write)
        if self.on_demand[vm, region, page]:
            return RegionHandled(self.demand(vm, region, page), vm, region, page, write)
        place = self.p2m[vm, region, page]
        if not place.mapped:
            return RegionHandled(Outcome.HOLE, vm, region, page, write)
        if write and not place.writable:
            self.p2m[vm, region, page] = attrs.evolve(place, writable=True)
        entry = self.upper[vm, region]
        if not entry.present and self.fits_large(vm, region, place.block):
            self.upper[vm, region] = Upper(True, True, place.block)
            return RegionHandled(Outcome.INSTALLED, vm, region, page, write)
        if not self.linked(vm, region):
            return RegionHandled(Outcome.FAILED, vm, region, page, write)
        self.lower[self.upper[vm, region].table, page] = self.p2m[vm, region, page]
        return RegionHandled(Outcome.INSTALLED, vm, region, page, write)

    def woken(self, vm: Vm, region: Region, page: Index, write: bool) -> bool:
        """Whether all that the access lacked was that the monitor keeps track of it; if so, it lacks that no more."""
        entry, place = self.upper[vm, region], self.lower[self.upper[vm, region].table, page]
        if entry.large:
            self.upper[vm, region] = attrs.evolve(entry, tracked=False)
            return True
        if not entry.present or not place.mapped or (write and not place.writable):
            return False
        self.lower[entry.table, page] = attrs.evolve(place, tracked=False)
        return True

    def fits_large(self, vm: Vm, region: Region, block: Block) -> bool:
        """Whether a region may be mapped by one entry."""
        return self.in_order(vm, region, block)

    def linked(self, vm: Vm, region: Region) -> bool:
        """See to it that a region has a table; False, and nothing done, if none can be had."""
        if self.upper[vm, region].present:
            return True
        if fails("table"):
            return False
        table = self.free_table()
        self.tables[table] = TableUse(Life.LINKED, vm, region)
        self.upper[vm, region] = Upper(True, table=table)
        return True

    def demand(self, vm: Vm, region: Region, page: Index) -> Outcome:
        """A page that was promised is touched. A region all of which was promised gets a block if there is one; otherwise it
        is taken apart, which takes a table, and the page gets a frame."""
        if self.kept_promises(vm, region) == 0 and not fails("block"):
            self.place_block(vm, region)
            reset(self.on_demand, lambda promised, v, r, p: v == vm and r == region)
            return Outcome.RETRY
        return self.demand_page(vm, region, page)

    def demand_page(self, vm: Vm, region: Region, page: Index) -> Outcome:
        if not self.linked(vm, region) or fails("frame"):
            return Outcome.FAILED
        self.place_page(vm, region, page)
        self.on_demand[vm, region, page] = False
        return Outcome.RETRY

    def kept_promises(self, vm: Vm, region: Region) -> int:
        """How many pages of a region were not promised, or got their frame already."""
        return count(self.on_demand, lambda promised, v, r, page: v == vm and r == region and not promised)

    # ------------------------------------------------------------ one page apart

    @operation
    def protect(self, vm: Vm, region: Region, page: Index) -> Given:
        """The monitor takes the right to write to one page, as before it is shared."""
        place = self.p2m[vm, region, page]
        require(place.mapped and place.writable)
        if not self.split(vm, region):
            return Given(False)
        self.zap(vm, region, page)
        self.p2m[vm, region, page] = attrs.evolve(place, writable=False)
        return Given(True)

    def zap(self, vm: Vm, region: Region, page: Index) -> None:
        """Take a small entry away, wherever it may still be walked; note first what its flags say."""
        table = self.upper[vm, region].table
        self.log[vm, region, page] = both(self.log[vm, region, page], self.lower_flags[table, page])
        reset(self.lower_flags, lambda flags, t, p: p == page and self.tables[t].vm == vm and self.tables[t].region == region)
        reset(self.lower, lambda place, t, p: p == page and self.tables[t].vm == vm and self.tables[t].region == region)
        self.flush_now(vm)

    @guest
    def inflate(self, vm: Vm, region: Region, page: Index) -> None:
        """The guest gives a page up. The host can give back blocks only: when all pages of a region are in the balloon."""
        require(self.plugged[vm, region, page])
        require(not self.on_demand[vm, region, page])
        self.inflated[vm, region, page] = True
        self.plugged[vm, region, page] = False
        if count(self.inflated, lambda inflated, v, r, p: v == vm and r == region and not inflated) == 0:
            self.discard(vm, region)

    def discard(self, vm: Vm, region: Region) -> None:
        """Nothing of a region is left to the guest: its frames go."""
        self.drop_region(vm, region)
        reset(self.units, lambda unit, b, at: unit.vm == vm and unit.region == region)
        reset(self.p2m, lambda place, v, r, page: v == vm and r == region)

    def drop_region(self, vm: Vm, region: Region) -> None:
        """Take a region's mappings away."""
        entry = self.upper[vm, region]
        if entry.present and not entry.large:
            self.tables[entry.table] = TableUse(Life.DYING, vm, region)
        self.upper[vm, region] = Upper()
        reset(self.lower, lambda place, t, p: self.tables[t].vm == vm and self.tables[t].region == region)
        reset(self.happened, lambda happened, v, r, page: v == vm and r == region)
        self.flush_now(vm)

    @guest
    def deflate(self, vm: Vm, region: Region, page: Index) -> None:
        """The guest takes a page back. If its frame is gone by now, it needs another: here it has to wait."""
        require(self.inflated[vm, region, page])
        require(self.p2m[vm, region, page].mapped)
        self.inflated[vm, region, page] = self.still_inflated()
        self.plugged[vm, region, page] = True

    def still_inflated(self) -> bool:
        return False

    @guest
    def decrease_reservation(self, vm: Vm, region: Region, page: Index) -> Given:
        """The guest gives one page back for good: the page is taken from its mapping first, and stays if that fails."""
        place = self.p2m[vm, region, page]
        require(place.mapped)
        require(self.plugged[vm, region, page])
        if not self.removed(vm, region, page):
            return Given(False)
        self.units[place.block, place.at] = Unit()
        self.p2m[vm, region, page] = Place()
        self.plugged[vm, region, page] = False
        self.happened[vm, region, page] = Flags()
        return Given(True)

    def removed(self, vm: Vm, region: Region, page: Index) -> bool:
        """Take a page from the tables; False, and nothing done, if a large mapping cannot be split."""
        if not self.split(vm, region):
            return False
        self.zap(vm, region, page)
        return True

    # ------------------------------------------------------------ how old a page is

    @operation
    def take_age(self, vm: Vm, region: Region, page: Index) -> None:
        """The monitor has seen whether a page was touched, and will see whether it is from now on. (Linux leaves the flush out: a
        page that a processor remembers then seems older than it is.)"""
        self.collect(vm, region)
        self.flush_ages(vm)
        self.log[vm, region, page] = attrs.evolve(self.log[vm, region, page], accessed=False)
        self.happened[vm, region, page] = attrs.evolve(self.happened[vm, region, page], accessed=False)

    def flush_ages(self, vm: Vm) -> None:
        """Processors would set no flag again for what they remember."""
        self.flush_now(vm)

    @operation
    def track(self, vm: Vm, region: Region, page: Index) -> None:
        """The same without accessed flags: the entry stays, but for the processor it is none, and the next access exits."""
        entry = self.upper[vm, region]
        place = self.lower[entry.table, page]
        require(entry.present and (entry.large or place.mapped))
        if entry.large:
            self.upper[vm, region] = attrs.evolve(entry, tracked=True)
            assign(self.happened, lambda happened, v, r, p: v == vm and r == region,
                   lambda happened, v, r, p: attrs.evolve(happened, accessed=False))
        else:
            self.lower[entry.table, page] = attrs.evolve(place, tracked=True)
            self.happened[vm, region, page] = attrs.evolve(self.happened[vm, region, page], accessed=False)
        self.flush_ages(vm)

    def tracked(self, vm: Vm, region: Region, page: Index) -> bool:
        """Whether no access to a page has come since it was last tracked, as the monitor has it."""
        entry, place = self.upper[vm, region], self.lower[self.upper[vm, region].table, page]
        return entry.present and (entry.tracked if entry.large else place.mapped and place.tracked)

    def young(self, vm: Vm, region: Region, page: Index) -> bool:
        """Whether a flag or the log says that a page was touched."""
        entry = self.upper[vm, region]
        flags = entry.flags if entry.large else self.lower_flags[entry.table, page]
        return self.log[vm, region, page].accessed or (entry.present and flags.accessed)

    # ------------------------------------------------------------ the dirty log

    @operation
    def fetch_log(self, vm: Vm, region: Region) -> None:
        """Move what the dirty flags say into the log and clear them; processors forget that they are set. Whoever fetched the
        log copies these pages: what is written from now on is new."""
        self.collect(vm, region)
        self.flush_now(vm)

    def collect(self, vm: Vm, region: Region) -> None:
        """Move all that the flags of a region say into the log."""
        entry = self.upper[vm, region]
        if entry.large:
            self.log_large(vm, region, entry)
            self.upper[vm, region] = attrs.evolve(entry, flags=Flags())
        elif entry.present:
            assign(self.log, lambda log, v, r, page: v == vm and r == region,
                   lambda log, v, r, page: both(log, self.lower_flags[entry.table, page]))
            reset(self.lower_flags, lambda flags, t, page: t == entry.table)

    def log_large(self, vm: Vm, region: Region, entry: Upper) -> None:
        """One flag of a kind stands for all pages of a region."""
        assign(self.log, lambda log, v, r, page: v == vm and r == region, lambda log, v, r, page: both(log, entry.flags))

    @operation
    def copy_page(self, vm: Vm, region: Region, page: Index) -> None:
        """A page in the log is sent, and leaves the log; the flags are clear, so that later writes are seen."""
        require(self.log[vm, region, page].dirty)
        require(not self.dirty(vm, region, page))
        require(self.cached_dirty(vm, region, page) == 0)
        self.log[vm, region, page] = attrs.evolve(self.log[vm, region, page], dirty=False)
        self.happened[vm, region, page] = attrs.evolve(self.happened[vm, region, page], dirty=False)

    def dirty(self, vm: Vm, region: Region, page: Index) -> bool:
        """Whether a dirty flag says that a page was written to."""
        entry = self.upper[vm, region]
        return entry.present and (entry.flags.dirty if entry.large else self.lower_flags[entry.table, page].dirty)

    def cached_dirty(self, vm: Vm, region: Region, page: Index) -> int:
        """How many processors would write without setting the flag."""
        return count(self.tlb, lambda found, cpu, v, r, p: v == vm and r == region and p == page and found.valid and found.dirty)
