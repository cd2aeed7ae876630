"""Mutants of ballooning."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import Ept
from refmodel.language import fails, require
from refmodel.machine.names import Gfn, Vm
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry


class DeflatedUnscrubbed(Ept):
    """A page comes back with what the frame's last user left in it."""

    def deflate(self, vm: Vm, gfn: Gfn) -> None:
        balloon = self.balloon[vm]
        require(self.p2m[vm, gfn].backing == Backing.BALLOONED)
        require(balloon.actual > balloon.target)
        if fails("frame"):
            return
        mfn = self.free_frame(vm)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn, writable=True)
        self.plug(vm, gfn)
        self.balloon[vm] = attrs.evolve(balloon, actual=balloon.actual - 1)


class InflatedButCached(Ept):
    """The page goes, the translation stays."""

    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        balloon, entry = self.balloon[vm], self.p2m[vm, gfn]
        require(entry.mapped)
        require(balloon.actual < balloon.target)
        self.p2m[vm, gfn] = P2mEntry(Backing.BALLOONED)
        self.release(entry.mfn)
        self.balloon[vm] = attrs.evolve(balloon, actual=balloon.actual + 1)
        self.unplug(vm, gfn)


MUTANTS = {
    "deflated-unscrubbed": Mutant(DeflatedUnscrubbed, "ISO-4"),
    "inflated-but-cached": Mutant(InflatedButCached, "ISO-1"),
}
"""By name."""
