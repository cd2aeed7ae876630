"""Mutants of sharing under large mappings: a large page is to be split before one of its pages is merged."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptTwoSizes
from refmodel.language import operation
from refmodel.machine.names import Block, Gfn, Mfn, Region, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry


class SharedUnderALargeMapping(EptTwoSizes):
    """A page is merged while a large mapping covers it."""

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        if not self.upper[vm, self.region[gfn]].large:
            super().protect(vm, gfn)


class SplitUnflushed(EptTwoSizes):
    """A large mapping is split to merge one of its pages, and processors keep their cached large translation."""

    def flush_tables(self, vm: Vm) -> None:
        """Nothing."""


class PromotedUnlooked(EptTwoSizes):
    """A region is mapped large wherever its pages lie."""

    def misfits(self, vm: Vm, region: Region, block: Block) -> int:
        return 0


class MergedStillWritable(EptTwoSizes):
    """Two pages are merged, and one of them stays writable."""

    @operation
    def share(self, vm: Vm, gfn: Gfn, other_vm: Vm, other_gfn: Gfn) -> None:
        super().share(vm, gfn, other_vm, other_gfn)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], writable=True)


class SmallPageUnscrubbed(EptTwoSizes):
    """A guest gets a page with the old contents of its frame."""

    def give_frame(self, vm: Vm, gfn: Gfn) -> bool:
        if self.lacks_frame(vm):
            return False
        mfn = self.free_frame(vm)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn, writable=True)
        return True


class BrokenUncounted(EptTwoSizes):
    """A page leaves a shared frame, and the frame still counts the page."""

    def release(self, mfn: Mfn) -> None:
        if self.frames[mfn].use != Use.SHARED:
            super().release(mfn)


class FrameForgotten(EptTwoSizes):
    """The last page leaves a shared frame, and the frame is not freed."""

    def release(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        if frame.use == Use.SHARED:
            self.frames[mfn] = attrs.evolve(frame, references=frame.references - 1)
        else:
            super().release(mfn)


class BrokenUncopied(EptTwoSizes):
    """A page gets a private frame with the frame's old contents instead of a copy."""

    def copy_frame(self, source: Mfn, target: Mfn) -> None:
        """Nothing."""


class LastSharerReadOnly(EptTwoSizes):
    """The last page in a shared frame retries its store, and stays read-only."""

    def let_write(self, vm: Vm, gfn: Gfn) -> bool:
        entry = self.p2m[vm, gfn]
        return self.frames[entry.mfn].references == 1 or super().let_write(vm, gfn)


MUTANTS = {
    "superpage-shared-under-a-large-mapping": Mutant(SharedUnderALargeMapping, "ISO-1"),
    "superpage-split-unflushed": Mutant(SplitUnflushed, "ISO-1"),
    "superpage-promoted-unlooked": Mutant(PromotedUnlooked, "ISO-1"),
    "superpage-merged-still-writable": Mutant(MergedStillWritable, "ISO-2"),
    "superpage-page-unscrubbed": Mutant(SmallPageUnscrubbed, "ISO-4"),
    "superpage-broken-uncounted": Mutant(BrokenUncounted, "RES-1"),
    "superpage-frame-forgotten": Mutant(FrameForgotten, "RES-2"),
    "superpage-last-sharer-read-only": Mutant(LastSharerReadOnly, "EFF-2"),
    "superpage-broken-uncopied": Mutant(BrokenUncopied, "EQV-1"),
}
"""By name."""
