"""Seven designs in the manner of those that people have written: each has a law that is true and not inductive."""

import enum
from typing import Any

import attrs

from refmodel.language import NOTHING, Design, Total, count, geometry, implies, law, operation, require
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Region, Table, Vm


@attrs.frozen
class RmpEntry:
    assigned: bool = False
    vm: Vm = NOTHING
    gfn: Gfn = NOTHING
    validated: bool = False


class Rmp(Design):
    """A reverse map: the guest validates each of its pages once."""

    rmp: Total[Mfn, RmpEntry]
    accepted: Total[tuple[Vm, Gfn], bool]
    geometry = geometry(Vm=1, Gfn=2, Mfn=2)

    @operation
    def assign(self, mfn: Mfn, vm: Vm, gfn: Gfn) -> None:
        require(not self.rmp[mfn].assigned)
        self.rmp[mfn] = RmpEntry(assigned=True, vm=vm, gfn=gfn)

    @operation
    def validate(self, mfn: Mfn) -> None:
        entry = self.rmp[mfn]
        require(entry.assigned and not self.accepted[entry.vm, entry.gfn])
        self.rmp[mfn] = attrs.evolve(entry, validated=True)
        self.accepted[entry.vm, entry.gfn] = True

    @operation
    def reclaim(self, mfn: Mfn) -> None:
        self.rmp[mfn] = RmpEntry()

    @law("ISO-1", "No page has two validated frames.")
    def validated_once(s: "Rmp", mfn: Mfn, other: Mfn) -> Any:
        same = s.rmp[mfn].vm == s.rmp[other].vm and s.rmp[mfn].gfn == s.rmp[other].gfn
        return implies(s.rmp[mfn].validated and s.rmp[other].validated and same, mfn == other)


@attrs.frozen
class Mapping:
    mfn: Mfn = NOTHING
    writable: bool = False


class RmpOverP2m(Design):
    """A reverse map and the forward one: a mapped frame belongs to the VM that maps it."""

    p2m: Total[tuple[Vm, Gfn], Mapping]
    rmp: Total[Mfn, RmpEntry]
    geometry = geometry(Vm=2, Gfn=2, Mfn=2)

    @operation
    def map(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        require(not self.rmp[mfn].assigned and self.p2m[vm, gfn].mfn == NOTHING)
        self.rmp[mfn] = RmpEntry(assigned=True, vm=vm, gfn=gfn)
        self.p2m[vm, gfn] = Mapping(mfn)

    @operation
    def unmap(self, vm: Vm, gfn: Gfn) -> None:
        mfn = self.p2m[vm, gfn].mfn
        require(mfn != NOTHING)
        self.rmp[mfn] = RmpEntry()
        self.p2m[vm, gfn] = Mapping()

    @law("ISO-1", "A mapped frame is assigned to the VM that maps it.")
    def mapped_frames_are_assigned(s: "RmpOverP2m", vm: Vm, gfn: Gfn) -> Any:
        entry = s.rmp[s.p2m[vm, gfn].mfn]
        return implies(s.p2m[vm, gfn].mfn != NOTHING, entry.assigned and entry.vm == vm)


class Life(enum.Enum):
    FREE = "free"
    LINKED = "linked"
    DYING = "dying"


@attrs.frozen
class TablePage:
    life: Life = Life.FREE
    listed: bool = False


class GracePeriods(Design):
    """Table pages that are freed when no reader is left."""

    pages: Total[Table, TablePage]
    readers: Total[Cpu, Table]
    geometry = geometry(Table=2, Cpu=2)

    @operation
    def link(self, table: Table) -> None:
        require(self.pages[table].life == Life.FREE)
        self.pages[table] = TablePage(Life.LINKED)

    @operation
    def unlink(self, table: Table) -> None:
        require(self.pages[table].life == Life.LINKED)
        self.pages[table] = TablePage(Life.DYING, listed=True)

    @operation
    def enter(self, cpu: Cpu, table: Table) -> None:
        require(self.pages[table].life == Life.LINKED)
        self.readers[cpu] = table

    @operation
    def leave(self, cpu: Cpu) -> None:
        self.readers[cpu] = NOTHING

    @operation
    def free(self, table: Table) -> None:
        require(self.pages[table].listed)
        if self.pages[table].life == Life.DYING:
            require(count(self.readers, lambda at, cpu: at == table) == 0)
        self.pages[table] = TablePage()

    @law("ISO-4", "No processor reads a page that is free.")
    def readers_hold_pages(s: "GracePeriods", cpu: Cpu) -> Any:
        return implies(s.readers[cpu] != NOTHING, s.pages[s.readers[cpu]].life != Life.FREE)


@attrs.frozen
class Directory:
    large: bool = False
    table: Table = NOTHING


@attrs.frozen
class Used:
    vm: Vm = NOTHING
    region: Region = NOTHING


class LargeMappings(Design):
    """Two levels: an entry is a large mapping, or names a table."""

    directory: Total[tuple[Vm, Region], Directory]
    tables: Total[Table, Used]
    geometry = geometry(Vm=1, Region=2, Table=2)

    @operation
    def map_large(self, vm: Vm, region: Region) -> None:
        require(self.directory[vm, region] == Directory())
        self.directory[vm, region] = Directory(large=True)

    @operation
    def split(self, vm: Vm, region: Region, table: Table) -> None:
        require(self.directory[vm, region].large and self.tables[table].vm == NOTHING)
        self.directory[vm, region] = Directory(table=table)
        self.tables[table] = Used(vm, region)

    @operation
    def unmap(self, vm: Vm, region: Region) -> None:
        entry = self.directory[vm, region]
        if not entry.large and entry.table != NOTHING:
            self.tables[entry.table] = Used()
        self.directory[vm, region] = Directory()

    @law("RES-2", "A table in use is named by the entry that it says.")
    def no_table_is_lost(s: "LargeMappings", table: Table) -> Any:
        used = s.tables[table]
        return implies(used.vm != NOTHING, s.directory[used.vm, used.region].table == table)


class Levels(Design):
    """A table for each VM, shown equal to a flat map."""

    top: Total[Vm, Table]
    taken: Total[Table, bool]
    leaf: Total[tuple[Table, Index], Mfn]
    flat: Total[tuple[Vm, Index], Mfn]
    geometry = geometry(Vm=2, Table=2, Index=1, Mfn=1)

    @operation
    def root(self, vm: Vm, table: Table) -> None:
        require(self.top[vm] == NOTHING and not self.taken[table])
        self.top[vm] = table
        self.taken[table] = True

    @operation
    def put(self, vm: Vm, index: Index, mfn: Mfn) -> None:
        require(self.top[vm] != NOTHING)
        self.leaf[self.top[vm], index] = mfn
        self.flat[vm, index] = mfn

    @law("EQV-1", "The tables map what the flat map does.")
    def levels_are_flat(s: "Levels", vm: Vm, index: Index) -> Any:
        return s.leaf[s.top[vm], index] == s.flat[vm, index]


class ZeroPages(Design):
    """Frames of zeroes that many pages share."""

    p2m: Total[tuple[Vm, Gfn], Mapping]
    zero: Total[Mfn, bool]
    written: Total[Mfn, bool]
    geometry = geometry(Vm=1, Gfn=2, Mfn=2)

    @operation
    def reserve(self, mfn: Mfn) -> None:
        require(not self.written[mfn] and count(self.p2m, lambda entry, vm, gfn: entry.mfn == mfn) == 0)
        self.zero[mfn] = True

    @operation
    def share(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        require(self.zero[mfn])
        self.p2m[vm, gfn] = Mapping(mfn)

    @operation
    def map(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        require(not self.zero[mfn])
        self.p2m[vm, gfn] = Mapping(mfn, writable=True)

    @operation
    def write(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].writable and self.p2m[vm, gfn].mfn != NOTHING)
        self.written[self.p2m[vm, gfn].mfn] = True

    @law("EQV-2", "A frame of zeroes is never written.")
    def zeroes_stay(s: "ZeroPages", mfn: Mfn) -> Any:
        return implies(s.zero[mfn], not s.written[mfn])


@attrs.frozen
class Hinted:
    busy: bool = False
    hinted: bool = False


class Hinting(Design):
    """Pages that the guest reports as free, until it takes one into use."""

    pages: Total[tuple[Vm, Gfn], Hinted]
    lost: Total[tuple[Vm, Gfn], bool]
    geometry = geometry(Vm=1, Gfn=2)

    @operation
    def use(self, vm: Vm, gfn: Gfn) -> None:
        self.pages[vm, gfn] = Hinted(busy=True)

    @operation
    def hint(self, vm: Vm, gfn: Gfn) -> None:
        require(not self.pages[vm, gfn].busy)
        self.pages[vm, gfn] = Hinted(hinted=True)

    @operation
    def release(self, vm: Vm, gfn: Gfn) -> None:
        self.pages[vm, gfn] = attrs.evolve(self.pages[vm, gfn], busy=False)

    @operation
    def reclaim(self, vm: Vm, gfn: Gfn) -> None:
        require(self.pages[vm, gfn].hinted)
        if self.pages[vm, gfn].busy:
            self.lost[vm, gfn] = True
        self.pages[vm, gfn] = Hinted()

    @law("EQV-3", "Nothing in use is lost.")
    def nothing_is_lost(s: "Hinting", vm: Vm, gfn: Gfn) -> Any:
        return not s.lost[vm, gfn]
