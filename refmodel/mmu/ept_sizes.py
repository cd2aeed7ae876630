"""EPT with three sizes of pages: 1 GiB, 2 MiB and 4 KiB.

A guest frame is a huge page, a part of it and an index; a machine frame likewise. An entry of any level maps what it stands for, if
all its pages lie in one piece of machine memory of that size, in order; otherwise it leads to a table of the next level. Exits
install the largest size that fits.

A mapping is split by filling the new table with what the old entry said, and only then leading to it. So a split shows the guest
nothing and takes nothing from it, and processors may go on using the old size until one page is treated apart: then everything
that covers it has to be forgotten, whatever its size. Two levels are split one after the other, and the second may fail;
nothing is lost by that. (``ept_large`` leaves new tables empty instead, and keeps tables until processors have let go of them;
SDM Vol. 3C 28.3.2, KVM's ``tdp_mmu_split_huge_page``.)
"""

import attrs

from refmodel.language import NOTHING, Design, Total, assign, cached, choose, count, fails, guest, operation, require, reset
from refmodel.machine.names import Cpu, Huge, HugeFrame, Index, Part, Vm


@attrs.frozen
class Lies:
    """Where a small page lies, by the p2m, by a table or by a processor's cache."""

    mapped: bool = False
    frame: HugeFrame = NOTHING
    part: Part = NOTHING
    at: Index = NOTHING
    writable: bool = False


@attrs.frozen
class HugeEntry:
    """An entry of level 3: a leaf that maps 1 GiB, or a link to a table of level 2."""

    present: bool = False
    leaf: bool = False
    frame: HugeFrame = NOTHING


@attrs.frozen
class PartEntry:
    """An entry of level 2: a leaf that maps 2 MiB, or a link to a table of level 1."""

    present: bool = False
    leaf: bool = False
    frame: HugeFrame = NOTHING
    part: Part = NOTHING


@attrs.frozen
class Owner:
    """The page that a small machine frame stands behind."""

    used: bool = False
    vm: Vm = NOTHING
    huge: Huge = NOTHING
    part: Part = NOTHING
    page: Index = NOTHING


@attrs.frozen
class Arrived:
    """An access: where it went, or that it exited."""

    completed: bool
    place: Lies
    huge: Huge
    part: Part
    page: Index
    write: bool


@attrs.frozen
class Served:
    """What came of an exit: whether it left what was asked for. If not, no table could be had."""

    installed: bool
    vm: Vm
    huge: Huge
    part: Part
    page: Index
    write: bool


@attrs.frozen
class Resized:
    """A mapping was split or merged."""


class EptSizesMmu(Design):
    owners: Total[tuple[HugeFrame, Part, Index], Owner]
    p2m: Total[tuple[Vm, Huge, Part, Index], Lies]
    huge: Total[tuple[Vm, Huge], HugeEntry]
    parts: Total[tuple[Vm, Huge, Part], PartEntry]
    pages: Total[tuple[Vm, Huge, Part, Index], Lies]
    huge_tlb: Total[tuple[Cpu, Vm, Huge], HugeEntry]
    part_tlb: Total[tuple[Cpu, Vm, Huge, Part], PartEntry]
    page_tlb: Total[tuple[Cpu, Vm, Huge, Part, Index], Lies]
    """What processors remember, by the size of the leaf that it was read from. Several sizes may cover one page."""

    # ------------------------------------------------------------ the hardware

    @guest
    def touch(self, vm: Vm, cpu: Cpu, huge: Huge, part: Part, page: Index, write: bool) -> Arrived:
        """An access: from a translation of any size that is remembered, or by a walk."""
        whole, large = self.huge_tlb[cpu, vm, huge], self.part_tlb[cpu, vm, huge, part]
        small = self.page_tlb[cpu, vm, huge, part, page]
        if whole.present and cached("1 GiB translation"):
            return Arrived(True, Lies(True, whole.frame, part, page, True), huge, part, page, write)
        if large.present and cached("2 MiB translation"):
            return Arrived(True, Lies(True, large.frame, large.part, page, True), huge, part, page, write)
        if small.mapped and (small.writable or not write) and cached("4 KiB translation"):
            return Arrived(True, small, huge, part, page, write)
        found = self.walk(vm, huge, part, page)
        if not found.mapped or (write and not found.writable):
            return Arrived(False, Lies(), huge, part, page, write)
        self.remember(vm, cpu, huge, part, page)
        return Arrived(True, found, huge, part, page, write)

    def walk(self, vm: Vm, huge: Huge, part: Part, page: Index) -> Lies:
        """From level 3 down, to the first leaf."""
        top, middle = self.huge[vm, huge], self.parts[vm, huge, part]
        if top.present and top.leaf:
            return Lies(True, top.frame, part, page, True)
        if top.present and middle.present and middle.leaf:
            return Lies(True, middle.frame, middle.part, page, True)
        return self.pages[vm, huge, part, page] if top.present and middle.present else Lies()

    def remember(self, vm: Vm, cpu: Cpu, huge: Huge, part: Part, page: Index) -> None:
        """A processor keeps the leaf, in the size that it has."""
        top, middle = self.huge[vm, huge], self.parts[vm, huge, part]
        if top.leaf:
            self.huge_tlb[cpu, vm, huge] = top
        elif middle.leaf:
            self.part_tlb[cpu, vm, huge, part] = middle
        else:
            self.page_tlb[cpu, vm, huge, part, page] = self.pages[vm, huge, part, page]

    def lets(self, vm: Vm, huge: Huge, part: Part, page: Index, write: bool) -> bool:
        """Whether the tables let an access through."""
        found = self.walk(vm, huge, part, page)
        return found.mapped and (found.writable or not write)

    def flush(self, vm: Vm) -> None:
        """INVEPT on every processor: translations of all sizes go."""
        reset(self.huge_tlb, lambda entry, cpu, v, huge: v == vm)
        reset(self.part_tlb, lambda entry, cpu, v, huge, part: v == vm)
        reset(self.page_tlb, lambda entry, cpu, v, huge, part, page: v == vm)

    # ------------------------------------------------------------ memory

    @operation
    def populate(self, vm: Vm, huge: Huge, part: Part, page: Index) -> None:
        """A page gets any small frame that is free."""
        require(not self.p2m[vm, huge, part, page].mapped)
        frame: HugeFrame = choose(HugeFrame, lambda frame: True)
        piece: Part = choose(Part, lambda piece: True)
        at: Index = choose(Index, lambda at: not self.owners[frame, piece, at].used)
        self.owners[frame, piece, at] = Owner(True, vm, huge, part, page)
        self.p2m[vm, huge, part, page] = Lies(True, frame, piece, at, True)

    @operation
    def take(self, vm: Vm, huge: Huge, part: Part, page: Index) -> None:
        """A page goes, and its frame is free."""
        place = self.p2m[vm, huge, part, page]
        require(place.mapped)
        if not self.apart(vm, huge, part):
            return
        self.zap(vm, huge, part, page)
        self.p2m[vm, huge, part, page] = Lies()
        self.give_back(place)

    def give_back(self, place: Lies) -> None:
        self.owners[place.frame, place.part, place.at] = Owner()

    @operation
    def protect(self, vm: Vm, huge: Huge, part: Part, page: Index) -> None:
        """A page is not to be written to any more, as before it is shared or logged."""
        place = self.p2m[vm, huge, part, page]
        require(place.mapped and place.writable)
        if not self.apart(vm, huge, part):
            return
        self.zap(vm, huge, part, page)
        self.p2m[vm, huge, part, page] = attrs.evolve(place, writable=False)

    def apart(self, vm: Vm, huge: Huge, part: Part) -> bool:
        """See to it that a part's pages have entries of their own, if they have any; False if a table cannot be had."""
        if self.huge[vm, huge].leaf and not self.divided_huge(vm, huge):
            return False
        return not self.parts[vm, huge, part].leaf or self.divided_part(vm, huge, part)

    def zap(self, vm: Vm, huge: Huge, part: Part, page: Index) -> None:
        """A small entry goes, and what processors remember that covers it."""
        self.pages[vm, huge, part, page] = Lies()
        self.flush(vm)

    # ------------------------------------------------------------ splitting and merging

    @operation
    def split_huge(self, vm: Vm, huge: Huge) -> Resized:
        """Eagerly, as before pages of it are logged one by one."""
        require(self.huge[vm, huge].leaf)
        self.divided_huge(vm, huge)
        return Resized()

    @operation
    def split_part(self, vm: Vm, huge: Huge, part: Part) -> Resized:
        require(self.parts[vm, huge, part].leaf)
        self.divided_part(vm, huge, part)
        return Resized()

    def divided_huge(self, vm: Vm, huge: Huge) -> bool:
        """1 GiB becomes 512 times 2 MiB: False, and nothing done, if no table can be had."""
        entry = self.huge[vm, huge]
        if fails("table of level 2"):
            return False
        assign(self.parts, lambda old, v, h, part: v == vm and h == huge,
               lambda old, v, h, part: PartEntry(True, True, entry.frame, part))
        self.huge[vm, huge] = HugeEntry(True)
        return True

    def divided_part(self, vm: Vm, huge: Huge, part: Part) -> bool:
        """2 MiB becomes 512 times 4 KiB."""
        entry = self.parts[vm, huge, part]
        if fails("table of level 1"):
            return False
        assign(self.pages, lambda old, v, h, p, page: v == vm and h == huge and p == part,
               lambda old, v, h, p, page: Lies(True, entry.frame, entry.part, page, True))
        self.parts[vm, huge, part] = PartEntry(True)
        return True

    @operation
    def merge_part(self, vm: Vm, huge: Huge, part: Part) -> Resized:
        """A table of level 1 gives way to one entry."""
        require(self.parts[vm, huge, part].present and not self.parts[vm, huge, part].leaf)
        frame: HugeFrame = choose(HugeFrame, lambda frame: True)
        piece: Part = choose(Part, lambda piece: self.part_fits(vm, huge, part, frame, piece))
        self.parts[vm, huge, part] = PartEntry(True, True, frame, piece)
        reset(self.pages, lambda old, v, h, p, page: v == vm and h == huge and p == part)
        return Resized()

    @operation
    def merge_huge(self, vm: Vm, huge: Huge) -> Resized:
        """A table of level 2 gives way to one entry, and so do the tables under it."""
        require(self.huge[vm, huge].present and not self.huge[vm, huge].leaf)
        frame: HugeFrame = choose(HugeFrame, lambda frame: self.huge_fits(vm, huge, frame))
        self.huge[vm, huge] = HugeEntry(True, True, frame)
        self.clear_tables(vm, huge)
        return Resized()

    def clear_tables(self, vm: Vm, huge: Huge) -> None:
        """What was mapped by smaller entries is mapped by one now."""
        reset(self.parts, lambda old, v, h, part: v == vm and h == huge)
        reset(self.pages, lambda old, v, h, part, page: v == vm and h == huge)

    def part_fits(self, vm: Vm, huge: Huge, part: Part, frame: HugeFrame, piece: Part) -> bool:
        """Whether a part's pages lie in one part of machine memory, in order, and may all be written to."""
        return count(self.p2m, lambda place, v, h, p, page: v == vm and h == huge and p == part and not (
            place.mapped and place.writable and place.frame == frame and place.part == piece and place.at == page)) == 0

    def huge_fits(self, vm: Vm, huge: Huge, frame: HugeFrame) -> bool:
        """Whether a huge page's parts do, in order too."""
        return count(self.p2m, lambda place, v, h, part, page: v == vm and h == huge and not (
            place.mapped and place.writable and place.frame == frame and place.part == part and place.at == page)) == 0

    # ------------------------------------------------------------ exits

    @operation
    def ept_violation(self, vm: Vm, huge: Huge, part: Part, page: Index, write: bool) -> Served:
        """Install what an access lacked, in the largest size that fits."""
        place = self.p2m[vm, huge, part, page]
        require(place.mapped)
        require(not self.lets(vm, huge, part, page, write))
        if write and not place.writable:
            place = attrs.evolve(place, writable=True)
            self.p2m[vm, huge, part, page] = place
        if not self.huge[vm, huge].present and self.huge_fits(vm, huge, place.frame):
            self.huge[vm, huge] = HugeEntry(True, True, place.frame)
            return Served(True, vm, huge, part, page, write)
        if not self.huge[vm, huge].present:
            if fails("table of level 2"):
                return Served(False, vm, huge, part, page, write)
            self.huge[vm, huge] = HugeEntry(True)
        return Served(self.install(vm, huge, part, page, place), vm, huge, part, page, write)

    def install(self, vm: Vm, huge: Huge, part: Part, page: Index, place: Lies) -> bool:
        """Under a table of level 2."""
        if not self.parts[vm, huge, part].present and self.part_fits(vm, huge, part, place.frame, place.part):
            self.parts[vm, huge, part] = PartEntry(True, True, place.frame, place.part)
            return True
        if not self.parts[vm, huge, part].present:
            if fails("table of level 1"):
                return False
            self.parts[vm, huge, part] = PartEntry(True)
        self.pages[vm, huge, part, page] = place
        return True
