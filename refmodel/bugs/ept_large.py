"""Mutants of extended page tables with large mappings."""

import attrs

from refmodel.designs import EptLarge
from refmodel.language import assign, fails, operation, require, reset
from refmodel.machine.cells import Flags, both
from refmodel.machine.names import Cpu, Index, Region, Vm
from refmodel.mmu.ept_large import Given, Life, Outcome, TableUse, Unit
from refmodel.mmu.ept_large_walk import Place, Reached, Upper


class LargeStoresExit(EptLarge):
    """Every store exits, whatever the tables give."""

    def touch(self, vm: Vm, cpu: Cpu, region: Region, page: Index, write: bool) -> Reached:
        return Reached(False, Place(), region, page, write) if write else super().touch(vm, cpu, region, page, write)


class PromisesAreHoles(EptLarge):
    """A page that was promised is touched, and the guest is told that there is no memory."""

    def demand(self, vm: Vm, region: Region, page: Index) -> Outcome:
        return Outcome.HOLE


class PromisedStill(EptLarge):
    """A page that was promised gets its frame, and is promised still."""

    def demand_page(self, vm: Vm, region: Region, page: Index) -> Outcome:
        self.place_page(vm, region, page)
        return Outcome.RETRY


class AgedUnflushed(EptLarge):
    """Ages are taken, and processors go on using what they remember without setting a flag."""

    def flush_ages(self, vm: Vm) -> None:
        """Nothing."""


class SplitForgetsTheAge(EptLarge):
    """A large entry whose flags are collected says which pages were written to, and not that they were touched."""

    def log_large(self, vm: Vm, region: Region, entry: Upper) -> None:
        super().log_large(vm, region, attrs.evolve(entry, flags=Flags(False, entry.flags.dirty)))


class TrackedNotZapped(EptLarge):
    """A page goes, and its small entry with it, if it is one: an entry that is tracked is left, and woken later."""

    def zap(self, vm: Vm, region: Region, page: Index) -> None:
        table = self.upper[vm, region].table
        self.log[vm, region, page] = both(self.log[vm, region, page], self.lower_flags[table, page])
        reset(self.lower_flags, lambda flags, t, p: p == page and self.tables[t].vm == vm and self.tables[t].region == region)
        reset(self.lower, lambda place, t, p: (p == page and not place.tracked and self.tables[t].vm == vm
                                               and self.tables[t].region == region))
        self.flush_now(vm)


class WokenWritable(EptLarge):
    """An entry that was tracked is given back with all rights."""

    def woken(self, vm: Vm, region: Region, page: Index, write: bool) -> bool:
        woken = super().woken(vm, region, page, write)
        if woken:
            assign(self.lower, lambda place, t, p: p == page and t == self.upper[vm, region].table and place.mapped,
                   lambda place, t, p: attrs.evolve(place, writable=True))
        return woken


class PopulatedHalfWay(EptLarge):
    """A page gets a frame, then a table for it is wanting: the guest is not told of the page, and the frame stays."""

    @operation
    def populate(self, vm: Vm, region: Region, page: Index) -> Given:
        require(not self.p2m[vm, region, page].mapped)
        require(not self.plugged[vm, region, page])
        require(not self.inflated[vm, region, page])
        if not self.covered[region] or fails("frame"):
            return Given(False)
        self.place_page(vm, region, page)
        if fails("table"):
            return Given(False)
        self.plugged[vm, region, page] = True
        return Given(True)


class UndoneHalfWay(EptLarge):
    """A page gets a frame, then a table for it is wanting: the frame is free again, and the p2m leads to it still."""

    @operation
    def populate(self, vm: Vm, region: Region, page: Index) -> Given:
        done = super().populate(vm, region, page)
        if done.done and fails("table"):
            place = self.p2m[vm, region, page]
            self.units[place.block, place.at] = Unit()
            return Given(False)
        return done


class RegionPopulatedHalfWay(EptLarge):
    """A region gets its frames one by one; where one is wanting it is given up, and the frames that it has got are lost."""

    @operation
    def populate_region(self, vm: Vm, region: Region, on_demand: bool) -> Given:
        require(self.covered[region])
        require(self.pages_of(vm, region) == 0)
        self.place_block(vm, region)
        if fails("frame"):
            reset(self.p2m, lambda place, v, r, page: v == vm and r == region)
            return Given(False)
        assign(self.plugged, lambda plugged, v, r, page: v == vm and r == region, True)
        return Given(True)


class TableLostInASplit(EptLarge):
    """A table is taken for a split that is given up then, and counts as linked for ever."""

    def split(self, vm: Vm, region: Region) -> bool:
        if self.upper[vm, region].large and fails("log"):
            self.tables[self.free_table()] = TableUse(Life.LINKED, vm, region)
            return False
        return super().split(vm, region)


class ProtectedHalfWay(EptLarge):
    """A page loses the right to be written to, then a table for the split is wanting: the large mapping stays as it is."""

    @operation
    def protect(self, vm: Vm, region: Region, page: Index) -> Given:
        place = self.p2m[vm, region, page]
        require(place.mapped and place.writable)
        self.p2m[vm, region, page] = attrs.evolve(place, writable=False)
        if not self.split(vm, region):
            return Given(False)
        self.zap(vm, region, page)
        return Given(True)
