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
    """A page comes to a guest with what its frame held."""


class FrameKeptForAPageThatWent(NeverRetired, EptCpus):
    """A page goes into the balloon, and its frame is recorded as the page's still."""


class OldRootKept(EptCpus):
    """A VM gets another table, and the one that it had is not given up."""

    def give_up(self, root: Mfn) -> None:
        """Nothing."""


class FreedWhileLoaded(EptCpus):
    """A table that was given up is free while a processor has it loaded."""

    def loaded(self, mfn: Mfn) -> int:
        return 0


class CpuStoresExit(EptCpus):
    """Every store exits, on any processor."""

    @guest
    def store_physical(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        require(self.running[cpu].active and self.running[cpu].vm == vm)
        return Seen(gfn=gfn, write=True, cpu=cpu)


class TagGivenTwice(EptCpus):
    """A tag that a VM has is given to another."""

    geometry = EptCpus.geometry.resized(Vm=2, Cpu=1)

    def tagged_so(self, tag: Tag) -> int:
        return 0


class NobodyInterrupted(EptCpus):
    """Processors are to forget when they enter, and those that run the VM are not interrupted."""

    def request_flush(self, vm: Vm) -> None:
        self.mark_stale(self.tags[vm].tag)


class TagTakenInName(EptCpus):
    """A VM gives its tag up, and its record has it still."""

    @operation
    def take_tag(self, vm: Vm) -> None:
        require(self.tags[vm].given)
        require(self.running_it(vm) == 0)
        self.tags[vm] = Tagged(False, self.tags[vm].tag)


class NeverServed(EptCpus):
    """A violation of a page that is there is said to have to wait, for ever."""

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
