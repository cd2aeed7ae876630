"""What accessed and dirty flags say of a page, and have said: under any MMU whose entries have them.

The monitor clears flags to see what happens from then on. What they said must be noted first: when they are cleared, and whenever
an entry goes that had them, since nobody can tell any more from an entry that is gone.
"""

import attrs

from refmodel.language import Total, operation, require
from refmodel.machine.cells import Flags, both
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.p2m import P2m


@attrs.frozen
class Collected:
    """The page whose entry's flags were collected."""

    vm: Vm
    gfn: Gfn


@attrs.frozen
class Aged:
    """The page whose age was taken."""

    vm: Vm
    gfn: Gfn


class NotedFlags(P2m):
    noted: Total[tuple[Vm, Gfn], Flags]
    """What flags have said of a page that are clear now, or gone with their entry."""
    happened: Total[tuple[Vm, Gfn], Flags]
    """Whether a vCPU has really reached a page since its age was taken, and stored to it since it was last clean."""

    def flags_of(self, vm: Vm, gfn: Gfn) -> Flags:
        """The flags of the entry that maps a page. (The flags of entries that map nothing are clear.)"""
        raise NotImplementedError

    def have_learnt(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether every processor knows which flags of a page were cleared."""
        raise NotImplementedError

    def said_of(self, vm: Vm, gfn: Gfn) -> Flags:
        """What flags say of a page, and have said."""
        return both(self.noted[vm, gfn], self.flags_of(vm, gfn))

    def is_written(self, vm: Vm, gfn: Gfn) -> bool:
        return self.said_of(vm, gfn).dirty

    @operation
    def take_age(self, vm: Vm, gfn: Gfn) -> Aged:
        """The monitor has seen that a page was reached, and will see whether it is from now on. (Linux leaves the flush out: a page
        that a processor has cached seems older than it is.)"""
        require(not self.flags_of(vm, gfn).accessed)
        require(self.have_learnt(vm, gfn))
        self.noted[vm, gfn] = attrs.evolve(self.noted[vm, gfn], accessed=False)
        self.happened[vm, gfn] = attrs.evolve(self.happened[vm, gfn], accessed=False)
        return Aged(vm, gfn)

    def may_be_clean(self, vm: Vm, gfn: Gfn) -> bool:
        return not self.flags_of(vm, gfn).dirty and self.have_learnt(vm, gfn)

    def clean(self, vm: Vm, gfn: Gfn) -> None:
        self.noted[vm, gfn] = attrs.evolve(self.noted[vm, gfn], dirty=False)
        self.happened[vm, gfn] = attrs.evolve(self.happened[vm, gfn], dirty=False)
