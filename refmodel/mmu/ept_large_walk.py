"""Tables of two levels whose upper entries may map a region large, and what a processor does with them: walking, remembering,
setting flags.

An upper entry maps a region large, or leads to a table of small entries. What a processor may remember are whole translations, and
pointers from a region to its table (its paging-structure cache). On the way of an access that is let through it sets accessed and
dirty flags in the entry that maps the page; a large one has one of each for all its pages. (SDM Vol. 3C 28.3.2, 28.3.5 and 28.4.)

The monitor may keep an entry that the processor takes for none: it is *tracked*, and the next access exits. (KVM's access-tracked
SPTEs, for processors without accessed flags.)
"""

import attrs

from refmodel.language import NOTHING, Design, Total, cached, guest, operation, reset
from refmodel.machine.cells import Flags
from refmodel.machine.names import Block, Cpu, Index, Region, Table, Vm


@attrs.frozen
class Place:
    """Where a guest's page lies, by the p2m, by a table or by a processor's cache."""

    mapped: bool = False
    block: Block = NOTHING
    at: Index = NOTHING
    writable: bool = False
    tracked: bool = False


@attrs.frozen
class Upper:
    """An upper entry: a large mapping, or a link to a table."""

    present: bool = False
    large: bool = False
    block: Block = NOTHING
    flags: Flags = Flags()
    table: Table = NOTHING
    tracked: bool = False


@attrs.frozen
class Pointer:
    """What a paging-structure cache holds of a region: the table, so that the upper entry need not be read."""

    valid: bool = False
    table: Table = NOTHING


@attrs.frozen
class Remembered:
    """A cached translation, and whether it was made by a write, so that the dirty flag is known to be set."""

    valid: bool = False
    place: Place = Place()
    dirty: bool = False


@attrs.frozen
class Reached:
    """What came of an access: it completed, at the place that it reached, or exited."""

    completed: bool
    place: Place
    region: Region
    page: Index
    write: bool


class LargeWalk(Design):
    upper: Total[tuple[Vm, Region], Upper]
    lower: Total[tuple[Table, Index], Place]
    lower_flags: Total[tuple[Table, Index], Flags]
    pointers: Total[tuple[Cpu, Vm, Region], Pointer]
    tlb: Total[tuple[Cpu, Vm, Region, Index], Remembered]
    happened: Total[tuple[Vm, Region, Index], Flags]
    """Whether a page has really been touched since its age was taken, and written to since the log was fetched."""

    @guest
    def touch(self, vm: Vm, cpu: Cpu, region: Region, page: Index, write: bool) -> Reached:
        """An access: from the cache, or by a walk that may start at a cached pointer."""
        found = self.tlb[cpu, vm, region, page]
        if not (found.valid and (not write or (found.place.writable and found.dirty)) and cached("translation")):
            place = self.walk(vm, cpu, region, page, write)
            if not place.mapped or (write and not place.writable):
                return Reached(False, Place(), region, page, write)
            found = Remembered(True, place, write)
            self.tlb[cpu, vm, region, page] = found
        self.happened[vm, region, page] = Flags(True, self.happened[vm, region, page].dirty or write)
        return Reached(True, found.place, region, page, write)

    def walk(self, vm: Vm, cpu: Cpu, region: Region, page: Index, write: bool) -> Place:
        """Walk the tables, setting dirty flags on the way of a write that is let through."""
        pointer, entry = self.pointers[cpu, vm, region], self.upper[vm, region]
        place = self.seen(pointer.table, page)
        if pointer.valid and place.mapped and (place.writable or not write) and cached("paging structure"):
            return self.mark(pointer.table, page, place, write)
        if not entry.present or (entry.large and entry.tracked):
            return Place()
        if entry.large:
            self.upper[vm, region] = attrs.evolve(entry, flags=Flags(True, entry.flags.dirty or write))
            return Place(True, entry.block, page, True)
        self.pointers[cpu, vm, region] = Pointer(True, entry.table)
        return self.mark(entry.table, page, self.seen(entry.table, page), write)

    def mark(self, table: Table, page: Index, place: Place, write: bool) -> Place:
        """Set a small entry's flags where an access is let through."""
        if place.mapped and (place.writable or not write):
            self.lower_flags[table, page] = Flags(True, self.lower_flags[table, page].dirty or write)
        return place

    def seen(self, table: Table, page: Index) -> Place:
        """A small entry as a processor has it: one that is tracked is none."""
        place = self.lower[table, page]
        return attrs.evolve(place, mapped=place.mapped and not place.tracked)

    def lets(self, vm: Vm, region: Region, page: Index, write: bool) -> bool:
        """Whether the tables as they stand let an access through."""
        entry = self.upper[vm, region]
        place = self.seen(entry.table, page)
        if entry.large:
            return entry.present and not entry.tracked
        return entry.present and place.mapped and (place.writable or not write)

    # ------------------------------------------------------------ flushing

    def flush_now(self, vm: Vm) -> None:
        """INVEPT on every processor, done when this returns."""
        reset(self.pointers, lambda pointer, cpu, v, region: v == vm)
        reset(self.tlb, lambda found, cpu, v, region, page: v == vm)

    @operation
    def flush(self, vm: Vm) -> None:
        """A flush that was put off, or that happens anyway."""
        self.flush_now(vm)
