"""Reservation: a VM has a guaranteed minimum and a maximum of frames, and a policy decides in between.

A VM is *admitted* with a minimum, and frames enough are reserved for it then or it is not let in. A frame that is reserved for one
VM is given to no other, so a VM below its minimum can have a frame at once, and needs nobody's consent. Beyond that a policy
decides: it gives frames that are reserved for nobody, up to the VM's maximum, and takes pages of which the VM has more than its
minimum. (Waldspurger, OSDI 2002, section 5.2: *min* is a guarantee and admission control keeps it, *max* a limit.)

A VM's frames are those that hold its own pages and no other's, and its tables. A page that is merged gives up its own frame, and
the VM may have another in its place: sharing costs no VM its minimum. So a frame that is reserved is not shared. A reservation can
be moved to a free frame first.

The policy's decisions are left open here: which VM is given a frame, and from which one is taken, and when. So what holds here
holds under any.
"""

import attrs

from refmodel.language import NOTHING, Total, count, operation, require
from refmodel.machine.names import Count, Mfn, Vm
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2m


@attrs.frozen
class Limits:
    """Of a VM, in frames."""

    admitted: bool = False
    minimum: Count = 0
    maximum: Count = 0


class Reservation(P2m):
    limits: Total[Vm, Limits]
    reserved: Total[Mfn, Vm]
    """The VM that a frame is reserved for, free or not; ``NOTHING`` where it is for nobody."""

    # ------------------------------------------------------------ admission

    @operation
    def reserve(self, vm: Vm, mfn: Mfn) -> None:
        """A VM that is to be admitted is promised one frame more."""
        limits = self.limits[vm]
        require(not limits.admitted)
        require(self.may_reserve(mfn))
        self.reserved[mfn] = vm
        self.limits[vm] = attrs.evolve(limits, minimum=limits.minimum + 1)

    def may_reserve(self, mfn: Mfn) -> bool:
        """Only a free frame, which is promised to nobody, can be promised."""
        return self.frames[mfn].use == Use.FREE and self.reserved[mfn] == NOTHING

    @operation
    def unreserve(self, vm: Vm, mfn: Mfn) -> None:
        """A VM that is not admitted, or no longer, is promised one frame less."""
        limits = self.limits[vm]
        require(not limits.admitted)
        require(self.reserved[mfn] == vm)
        self.reserved[mfn] = NOTHING
        self.limits[vm] = attrs.evolve(limits, minimum=limits.minimum - 1)

    @operation
    def move_reservation(self, mfn: Mfn, other: Mfn) -> None:
        """Another frame is reserved in a frame's place, which may be shared then, or given to others when it is free."""
        require(self.reserved[mfn] != NOTHING)
        require(self.may_reserve(other))
        self.reserved[other] = self.reserved[mfn]
        self.reserved[mfn] = NOTHING

    @operation
    def admit(self, vm: Vm, maximum: Count) -> None:
        """A VM is let in. From now on it may have frames."""
        limits = self.limits[vm]
        require(not limits.admitted)
        require(self.may_be_admitted(limits, maximum))
        self.limits[vm] = attrs.evolve(limits, admitted=True, maximum=maximum)

    def may_be_admitted(self, limits: Limits, maximum: Count) -> bool:
        return maximum >= limits.minimum

    @operation
    def dismiss(self, vm: Vm) -> None:
        """A VM that has no frame any more is gone. What was reserved for it can be given up."""
        limits = self.limits[vm]
        require(limits.admitted)
        require(self.frames_of(vm) == 0)
        self.limits[vm] = attrs.evolve(limits, admitted=False, maximum=0)

    # ------------------------------------------------------------ giving and taking

    def lacks_frame(self, vm: Vm, what: str = "frame") -> bool:
        """Whatever the policy says that keeps the limits: a VM below its minimum is refused no frame, and one that has its maximum
        gets none."""
        lacks = super().lacks_frame(vm, what)
        require(not self.is_owed(vm) if lacks else not self.has_all(vm))
        return lacks

    def is_owed(self, vm: Vm) -> bool:
        return self.limits[vm].admitted and self.frames_of(vm) < self.limits[vm].minimum

    def has_all(self, vm: Vm) -> bool:
        return self.frames_of(vm) >= self.limits[vm].maximum

    def may_have(self, vm: Vm, mfn: Mfn) -> bool:
        return self.is_free_for(vm, mfn) and super().may_have(vm, mfn)

    def is_free_for(self, vm: Vm, mfn: Mfn) -> bool:
        """Whether a frame is promised to nobody, or to this VM."""
        return self.reserved[mfn] == NOTHING or self.reserved[mfn] == vm

    def may_be_shared(self, mfn: Mfn) -> bool:
        return self.reserved[mfn] == NOTHING and super().may_be_shared(mfn)

    def may_be_taken(self, vm: Vm) -> bool:
        return self.has_more_than_promised(vm) and super().may_be_taken(vm)

    def has_more_than_promised(self, vm: Vm) -> bool:
        return not self.limits[vm].admitted or self.frames_of(vm) > self.limits[vm].minimum

    def frames_of(self, vm: Vm) -> int:
        """How many frames are a VM's own: they hold a page of its own, receive one from swap, or are one of its tables."""
        return count(self.frames, lambda frame, mfn: frame.vm == vm)


def reserved_for(s: Reservation, vm: Vm) -> int:
    """How many frames are reserved for a VM."""
    return count(s.reserved, lambda owner, mfn: owner == vm)
