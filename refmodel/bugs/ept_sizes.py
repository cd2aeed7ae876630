"""Mutants of extended page tables with three sizes of pages."""

import attrs

from refmodel.designs import EptSizes
from refmodel.language import NOTHING, count, fails, reset
from refmodel.machine.names import Cpu, Huge, HugeFrame, Index, Part, Vm
from refmodel.mmu.ept_sizes import Arrived, HugeEntry, Lies


class HugeOutOfOrder(EptSizes):
    """The pages of a huge page lie in one piece of machine memory, and nobody asks in what order its parts lie."""

    def huge_fits(self, vm: Vm, huge: Huge, frame: HugeFrame) -> bool:
        return count(self.p2m, lambda place, v, h, part, page: v == vm and h == huge and not (
            place.mapped and place.writable and place.frame == frame and place.at == page)) == 0


class PartOutOfOrder(EptSizes):
    """The pages of a part lie in one part, and nobody asks in what order."""

    def part_fits(self, vm: Vm, huge: Huge, part: Part, frame: HugeFrame, piece: Part) -> bool:
        return count(self.p2m, lambda place, v, h, p, page: v == vm and h == huge and p == part and not (
            place.mapped and place.writable and place.frame == frame and place.part == piece)) == 0


class HugeRememberedAfterTheSplit(EptSizes):
    """A page is treated apart, and a processor remembers the 1 GiB that were split for it."""

    def flush(self, vm: Vm) -> None:
        reset(self.part_tlb, lambda entry, cpu, v, huge, part: v == vm)
        reset(self.page_tlb, lambda entry, cpu, v, huge, part, page: v == vm)


class PartRememberedAfterTheSplit(EptSizes):
    """A page is treated apart, and a processor remembers the 2 MiB that were split for it."""

    def flush(self, vm: Vm) -> None:
        reset(self.huge_tlb, lambda entry, cpu, v, huge: v == vm)
        reset(self.page_tlb, lambda entry, cpu, v, huge, part, page: v == vm)


class PageRemembered(EptSizes):
    """Only translations of large pages are forgotten."""

    def flush(self, vm: Vm) -> None:
        reset(self.huge_tlb, lambda entry, cpu, v, huge: v == vm)
        reset(self.part_tlb, lambda entry, cpu, v, huge, part: v == vm)


class EntryLeft(EptSizes):
    """Processors forget a page, and find it in the tables again."""

    def zap(self, vm: Vm, huge: Huge, part: Part, page: Index) -> None:
        self.flush(vm)


class TablesLeftUnderALeaf(EptSizes):
    """A table of level 2 gives way to one entry, and its entries are left where the next table will be."""

    def clear_tables(self, vm: Vm, huge: Huge) -> None:
        """Nothing."""


class SplitEmpty(EptSizes):
    """A new table is led to before it is filled, and what is missing is left to exits."""

    def divided_huge(self, vm: Vm, huge: Huge) -> bool:
        if fails("table of level 2"):
            return False
        self.huge[vm, huge] = HugeEntry(True)
        return True


class FramesLeak(EptSizes):
    """A page goes, and its frame is not given back."""

    def give_back(self, place: Lies) -> None:
        """Nothing."""


class FrameOfAnother(EptSizes):
    """A huge page that could not be split, and is mapped still, has its frames given back."""

    def apart(self, vm: Vm, huge: Huge, part: Part) -> bool:
        done = super().apart(vm, huge, part)
        if not done:
            entry = self.huge[vm, huge]
            reset(self.owners, lambda owner, frame, piece, at: entry.leaf and frame == entry.frame)
        return done


class FirstPageOnly(EptSizes):
    """What a processor remembers of 1 GiB is taken for what is remembered of its parts: the part's number is lost."""

    def touch(self, vm: Vm, cpu: Cpu, huge: Huge, part: Part, page: Index, write: bool) -> Arrived:
        arrived = super().touch(vm, cpu, huge, part, page, write)
        if self.huge[vm, huge].leaf:
            return attrs.evolve(arrived, place=attrs.evolve(arrived.place, part=NOTHING))
        return arrived


class SizedStoresExit(EptSizes):
    """Every store exits."""

    def touch(self, vm: Vm, cpu: Cpu, huge: Huge, part: Part, page: Index, write: bool) -> Arrived:
        return Arrived(False, Lies(), huge, part, page, write) if write else super().touch(vm, cpu, huge, part, page, write)


class NotInstalled(EptSizes):
    """An exit under a table of level 2 is said to be served, and nothing is installed."""

    def install(self, vm: Vm, huge: Huge, part: Part, page: Index, place: Lies) -> bool:
        return True
