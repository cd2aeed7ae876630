"""Mutants of extended page tables on many processors."""

from refmodel.bare import Seen
from refmodel.bugs.frames import NeverRetired, Unscrubbed
from refmodel.bugs.mutant import Mutant
from refmodel.designs import EptCpus
from refmodel.language import guest, operation, require
from refmodel.machine.cells import Cell
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Tag, Vm
from refmodel.mmu.tags import Tagged
from refmodel.monitor.p2m import Supply


class PopulatedUnscrubbed(Unscrubbed, EptCpus):
    """A guest gets a page with the old contents of its frame."""


class FrameKeptForAPageThatWent(NeverRetired, EptCpus):
    """A page goes into the balloon, and its frame is still recorded as the page's frame."""


class OldRootKept(EptCpus):
    """A VM gets a new table, and its old table is never freed."""

    def give_up(self, root: Mfn) -> None:
        """Nothing."""


class FreedWhileLoaded(EptCpus):
    """A table that waits to be freed is freed while a processor still has it loaded."""

    def loaded(self, mfn: Mfn) -> int:
        return 0


class CpuStoresExit(EptCpus):
    """Every store exits on every processor."""

    @guest
    def store_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        require(self.running[cpu].active and self.running[cpu].vm == vm)
        return Seen(gfn=gfn, write=True, cpu=cpu)


class TagGivenTwice(EptCpus):
    """A tag that one VM holds is assigned to another VM."""

    geometry = EptCpus.geometry.resized(Vm=2, Cpu=1)

    def tagged_so(self, tag: Tag) -> int:
        return 0


class NobodyInterrupted(EptCpus):
    """Processors have to flush when they next enter a VM, and processors that run the VM now get no IPI."""

    def request_flush(self, vm: Vm) -> None:
        self.mark_stale(self.tags[vm].tag)


class TagTakenInName(EptCpus):
    """A VM loses its tag, and its record still has the tag."""

    @operation
    def take_tag(self, vm: Vm) -> None:
        require(self.tags[vm].given)
        require(self.running_it(vm) == 0)
        self.tags[vm] = Tagged(False, self.tags[vm].tag)


class NeverServed(EptCpus):
    """An EPT violation on a present page is left unserved forever."""

    def supply(self, vm: Vm, gfn: Gfn, write: bool) -> Supply:
        return Supply.LATER if self.p2m[vm, gfn].mapped else super().supply(vm, gfn, write)


MUTANTS = {
    "cpus-populated-unscrubbed": Mutant(PopulatedUnscrubbed, "ISO-4"),
    "cpus-root-freed-while-loaded": Mutant(FreedWhileLoaded, "ISO-3"),
    "cpus-frame-kept-for-a-page-that-went": Mutant(FrameKeptForAPageThatWent, "RES-2"),
    "cpus-old-root-kept": Mutant(OldRootKept, "RES-2"),
    "cpus-tag-given-twice": Mutant(TagGivenTwice, "EQV-5"),
    "cpus-nobody-interrupted": Mutant(NobodyInterrupted, "EQV-5"),
    "cpus-tag-taken-in-name": Mutant(TagTakenInName, "EQV-5"),
    "cpus-never-served": Mutant(NeverServed, "EFF-2"),
    "cpus-stores-exit": Mutant(CpuStoresExit, "EFF-1"),
}
"""By name."""
