"""Leaky specimens: for each channel between VMs a design that has it, and that breaks no law about one run.

What it tells a guest is always true; that it depends on another VM's doings is seen only where two runs are compared
(``engines/unwinding.py``). Each is a courtesy that some monitor or other has shown its guests.
"""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import Memory, SamepageMerging
from refmodel.engines.unwinding import watching
from refmodel.language import Design, Geometry, choose, guest, operation, require
from refmodel.machine.cells import Cell
from refmodel.machine.names import Gfn, Index, Mfn, Vm
from refmodel.monitor.ballooning import Balloon
from refmodel.monitor.dirty_logging import Sent
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Backing


@attrs.frozen
class Told:
    """What a hypercall tells its guest."""

    shown: bool


@attrs.frozen
class ToldFrame:
    """A hypercall that names a machine frame."""

    shown: Mfn


@attrs.frozen
class ToldCell:
    """A hypercall that shows a cell of memory."""

    shown: Cell


class MergesShow(Memory):
    """A guest can learn whether its own page is shared, and therefore whether another VM has an equal page."""

    @guest
    def is_shared(self, vm: Vm, gfn: Gfn) -> Told:
        require(self.p2m[vm, gfn].resident)
        return Told(self.frames[self.p2m[vm, gfn].mfn].use == Use.SHARED)


class StableTreeShows(SamepageMerging):
    """A guest can learn whether the contents of its own page are in the stable tree."""

    @guest
    def is_in_the_tree(self, vm: Vm, gfn: Gfn) -> Told:
        require(self.p2m[vm, gfn].resident)
        return Told(self.stable_tree[self.p2m[vm, gfn].mfn].linked)


class FreeMemoryShows(Memory):
    """A guest can learn whether memory is free, which depends on the other VMs."""

    @guest
    def is_memory_free(self, vm: Vm, mfn: Mfn) -> Told:
        return Told(self.frames[mfn].use == Use.FREE)


class MachineAddressesShow(Memory):
    """A guest can learn the frame of its page, and see the page move when other VMs come and go."""

    @guest
    def where_is(self, vm: Vm, gfn: Gfn) -> ToldFrame:
        require(self.p2m[vm, gfn].resident)
        return ToldFrame(self.p2m[vm, gfn].mfn)


class SwapShows(Memory):
    """A guest can learn whether its own page is in memory, which depends on the other VMs' demand."""

    @guest
    def is_resident(self, vm: Vm, gfn: Gfn) -> Told:
        require(self.plugged[vm, gfn])
        return Told(self.p2m[vm, gfn].backing != Backing.SWAPPED)


class MigrationShows(Memory):
    """A guest can learn whether its own page has been copied to another machine."""

    @guest
    def is_being_moved(self, vm: Vm, gfn: Gfn) -> Told:
        return Told(self.sent[vm, gfn] != Sent.MARKED)


class BalloonInflatedByTheMonitor(Memory):
    """The monitor inflates a guest's balloon itself when another VM needs memory."""

    @operation
    def take_from(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(entry.resident)
        self.vacate(vm, gfn)
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], backing=Backing.BALLOONED)
        self.balloon[vm] = Balloon(self.balloon[vm].target, self.balloon[vm].actual + 1)
        self.unplug(vm, gfn)


class LeftoversShow(Memory):
    """A guest whose page is in its balloon can learn the last use of the frame that it would get."""

    @guest
    def preview(self, vm: Vm, gfn: Gfn, offset: Index) -> ToldCell:
        require(self.p2m[vm, gfn].backing == Backing.BALLOONED)
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn].use == Use.FREE)
        return ToldCell(self.memory[mfn][offset])


@attrs.frozen
class Specimen:
    """A leaky design, and the channel that it has."""

    design: type[Design]
    channel: str

    @property
    def geometry(self) -> Geometry:
        """The one that it is searched in."""
        return watching(self.design.geometry)


LEAKS: dict[str, Specimen] = {
    "merges-show": Specimen(MergesShow, "whether another VM has an equal page"),
    "stable-tree-shows": Specimen(StableTreeShows, "whether another VM has an equal page"),
    "free-memory-shows": Specimen(FreeMemoryShows, "the level of free memory"),
    "machine-addresses-show": Specimen(MachineAddressesShow, "machine addresses"),
    "swap-shows": Specimen(SwapShows, "what is on swap"),
    "migration-shows": Specimen(MigrationShows, "what is being moved"),
    "balloon-inflated-by-the-monitor": Specimen(BalloonInflatedByTheMonitor, "a balloon that others inflate"),
    "leftovers-show": Specimen(LeftoversShow, "what a frame was last used for"),
}
"""By name."""


MUTANTS = {
    "balloon-inflated-by-the-monitor": Mutant(BalloonInflatedByTheMonitor, "ISO-6"),
}
"""By name."""
