"""Mutants of ballooning."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import Ept
from refmodel.language import choose, fails, guest, require
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.ballooning import DeflateOnOom
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry
from refmodel.points import over


class DeflatedUnscrubbed(Ept):
    """A page leaves the balloon with the contents of its new frame's last user."""

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
    """A page goes into the balloon, and a cached translation of the page remains."""

    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        balloon, entry = self.balloon[vm], self.p2m[vm, gfn]
        require(entry.mapped)
        require(balloon.actual < balloon.target)
        self.p2m[vm, gfn] = P2mEntry(Backing.BALLOONED)
        self.release(entry.mfn)
        self.balloon[vm] = attrs.evolve(balloon, actual=balloon.actual + 1)
        self.unplug(vm, gfn)


class DeflatedUncounted(Ept):
    """A page leaves the balloon, and the recorded size of the balloon does not change."""

    def deflate(self, vm: Vm, gfn: Gfn) -> None:
        balloon = self.balloon[vm]
        super().deflate(vm, gfn)
        self.balloon[vm] = balloon


class OomDeflatedUncounted(DeflateOnOom, ContractMmu):
    """A guest that is out of memory takes a page back early, and the recorded size of the balloon does not change."""

    geometry = over("any", ("deflate-on-oom",)).geometry

    def deflate(self, vm: Vm, gfn: Gfn) -> None:
        balloon = self.balloon[vm]
        super().deflate(vm, gfn)
        if balloon.actual <= balloon.target:
            self.balloon[vm] = balloon


class OomDeflatedUnscrubbed(DeflateOnOom, ContractMmu):
    """A guest that is out of memory gets a frame at once, with the contents of its last user."""

    geometry = over("any", ("deflate-on-oom",)).geometry

    def deflate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].backing == Backing.BALLOONED)
        if fails("frame"):
            return
        mfn = self.free_frame(vm)
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn, writable=True)
        self.plug(vm, gfn)
        self.balloon[vm] = attrs.evolve(self.balloon[vm], actual=self.balloon[vm].actual - 1)


class OomDeflatesAnothers(DeflateOnOom, ContractMmu):
    """A guest that is out of memory deflates another VM's balloon."""

    geometry = over("any", ("deflate-on-oom",)).geometry

    @guest
    def deflate(self, vm: Vm, gfn: Gfn) -> None:
        other: Vm = choose(Vm, lambda each: each != vm)
        require(self.p2m[other, gfn].backing == Backing.BALLOONED)
        if self.give_frame(other, gfn):
            self.plug(other, gfn)
            self.balloon[other] = attrs.evolve(self.balloon[other], actual=self.balloon[other].actual - 1)


MUTANTS = {
    "deflated-uncounted": Mutant(DeflatedUncounted, "RES-1"),
    "oom-deflated-uncounted": Mutant(OomDeflatedUncounted, "RES-1"),
    "oom-deflated-unscrubbed": Mutant(OomDeflatedUnscrubbed, "ISO-4"),
    "oom-deflates-anothers": Mutant(OomDeflatesAnothers, "ISO-6"),
    "deflated-unscrubbed": Mutant(DeflatedUnscrubbed, "ISO-4"),
    "inflated-but-cached": Mutant(InflatedButCached, "ISO-1"),
}
"""By name."""
