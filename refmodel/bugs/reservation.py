"""Mutants of minimum and maximum."""

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import Reservations
from refmodel.geometries import EMPTY
from refmodel.language import NOTHING, choose, geometry, operation, require
from refmodel.machine.names import Count, Gfn, Mfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.ept import EptMmu, Eptp
from refmodel.monitor.ballooning import Ballooning
from refmodel.monitor.compressed_memory import CompressedMemory
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry, Supply
from refmodel.monitor.reservation import Limits, Reservation
from refmodel.monitor.sharing import Sharing

TWO_VMS_WITH_LIMITS = geometry(Vm=2, Gfn=1, Mfn=3, Slot=1, Index=1, naturals=2, only=EMPTY)


class KeptGivenAway(Reservations):
    """A frame that is reserved for one VM is given to another VM if it is free."""

    def is_free_for(self, vm: Vm, mfn: Mfn) -> bool:
        return True


class PromisedTwice(Reservations):
    """A frame that is reserved for one VM is reserved for another VM."""

    def may_reserve(self, mfn: Mfn) -> bool:
        return self.frames[mfn].use == Use.FREE


class PromisedInUse(Reservations):
    """A frame that holds another VM's page is reserved for a VM at its admission."""

    def may_reserve(self, mfn: Mfn) -> bool:
        return self.reserved[mfn] == NOTHING


class PromiseTakenBack(Reservations):
    """A VM's minimum is lowered after its admission."""

    @operation
    def unreserve(self, vm: Vm, mfn: Mfn) -> None:
        limits = self.limits[vm]
        require(self.reserved[mfn] == vm)
        self.reserved[mfn] = NOTHING
        self.limits[vm] = attrs.evolve(limits, minimum=limits.minimum - 1)


class RevokedBelowMinimum(Reservations):
    """The policy takes frames of a VM below its minimum."""

    def has_more_than_promised(self, vm: Vm) -> bool:
        return True


class SparedForGood(Reservations):
    """The policy takes no frame from a VM with an admitted minimum, however many frames the VM has."""

    def has_more_than_promised(self, vm: Vm) -> bool:
        return not self.limits[vm].admitted


class GivenBeyondMaximum(Reservations):
    """The policy gives a VM frames beyond its maximum."""

    def has_all(self, vm: Vm) -> bool:
        return False


class RefusedBelowMinimum(Reservations):
    """A VM below its minimum has to wait for the policy like every other VM."""

    def is_owed(self, vm: Vm) -> bool:
        return False


class AdmittedBelowMinimum(Reservations):
    """A VM is admitted with a maximum below its minimum."""

    def may_be_admitted(self, limits: Limits, maximum: Count) -> bool:
        return True


class GivenInName(Reservations):
    """An exit is reported as served, and the page is in no frame."""

    def bring(self, vm: Vm, gfn: Gfn) -> Supply:
        return Supply.READY if self.p2m[vm, gfn].backing == Backing.PROMISED else super().bring(vm, gfn)


# ---------------------------------------------------------------- with another mechanism, or an MMU


class ReservedFrameMerged(Reservation, Sharing, ContractMmu):
    """A page of another VM is merged into a frame that is reserved for one VM."""

    geometry = TWO_VMS_WITH_LIMITS

    def may_be_shared(self, mfn: Mfn) -> bool:
        return True


class DeflatedFromAnothers(Reservation, Ballooning, ContractMmu):
    """A page that leaves the balloon gets any free frame, even one that is reserved for another VM."""

    geometry = TWO_VMS_WITH_LIMITS.resized(Mfn=2)

    def deflate(self, vm: Vm, gfn: Gfn) -> None:
        balloon = self.balloon[vm]
        require(self.p2m[vm, gfn].backing == Backing.BALLOONED)
        require(balloon.actual > balloon.target)
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn].use == Use.FREE)
        self.memory[mfn] = self.memory[mfn].scrubbed()
        self.frames[mfn] = Frame(Use.PRIVATE, vm, gfn, references=1)
        self.p2m[vm, gfn] = P2mEntry(Backing.MAPPED, mfn, writable=True)
        self.plug(vm, gfn)
        self.balloon[vm] = attrs.evolve(balloon, actual=balloon.actual - 1)


class ReadIntoAnothers(Reservations):
    """A page is read from swap into any free frame, even one that is reserved for another VM."""

    def begin_reading(self, vm: Vm, gfn: Gfn) -> None:
        slot = self.p2m[vm, gfn].slot
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn].use == Use.FREE)
        self.frames[mfn] = Frame(Use.READING, vm, gfn)
        self.memory[mfn] = self.copy_of(slot)
        self.reading[mfn] = slot
        self.slots[slot] = attrs.evolve(self.slots[slot], reader=mfn)


class PoolOfPromisedFrames(Reservation, CompressedMemory, ContractMmu):
    """The pool of compressed pages uses any free frame, even one that is reserved for a VM."""

    geometry = TWO_VMS_WITH_LIMITS.resized(Mfn=2)

    @operation
    def enlarge_pool(self) -> None:
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn].use == Use.FREE)
        self.frames[mfn] = Frame(Use.POOL)


class TableOfAPromisedFrame(Reservation, EptMmu):
    """A VM's EPT table uses any free frame, even one that is reserved for another VM."""

    geometry = TWO_VMS_WITH_LIMITS.resized(Vcpu=1)

    def have_table(self, vm: Vm) -> bool:
        if self.eptp[vm].present:
            return True
        if self.lacks_frame(vm, "table frame"):
            return False
        mfn: Mfn = choose(Mfn, lambda mfn: self.frames[mfn].use == Use.FREE)
        self.frames[mfn] = Frame(Use.TABLE, vm)
        self.eptp[vm] = Eptp(True, mfn)
        return True


MUTANTS = {
    "kept-given-away": Mutant(KeptGivenAway, "RES-4"),
    "promised-twice": Mutant(PromisedTwice, "RES-4"),
    "promise-taken-back": Mutant(PromiseTakenBack, "RES-4"),
    "revoked-below-minimum": Mutant(RevokedBelowMinimum, "RES-4"),
    "given-beyond-maximum": Mutant(GivenBeyondMaximum, "RES-4"),
    "given-in-name": Mutant(GivenInName, "RES-4"),
    "refused-below-minimum": Mutant(RefusedBelowMinimum, "RES-4"),
    "admitted-below-minimum": Mutant(AdmittedBelowMinimum, "RES-4"),
    "promised-in-use": Mutant(PromisedInUse, "RES-4"),
    "spared-for-good": Mutant(SparedForGood, "RES-3"),
    "reserved-frame-merged": Mutant(ReservedFrameMerged, "RES-4"),
    "deflated-from-anothers": Mutant(DeflatedFromAnothers, "RES-4"),
    "read-into-anothers": Mutant(ReadIntoAnothers, "RES-4"),
    "pool-of-promised-frames": Mutant(PoolOfPromisedFrames, "RES-4"),
    "table-of-a-promised-frame": Mutant(TableOfAPromisedFrame, "RES-4"),
}
"""By name."""
