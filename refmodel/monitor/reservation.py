"""Minimum and maximum: what a VM was promised, whatever a policy decides beyond.

A VM is *admitted* with a minimum, and frames enough are reserved for it then or it is not let in. What is reserved for one VM is
given to no other, so whoever has less than its minimum can have a frame at once, and needs nobody's consent. Beyond that a policy
does as it likes: it gives any frame that is reserved for nobody, up to the VM's maximum, and takes any that the VM does not need
for its minimum. (Waldspurger, OSDI 2002, section 5.2: *min* is a guarantee and admission control keeps it, *max* a limit.)

Its decisions are left open here: who is given a frame, and from whom one is taken, and when. So what holds here holds under any.
"""

import attrs

from refmodel.language import NOTHING, Design, Total, choose, count, fails, guest, operation, require
from refmodel.machine.names import Count, Mfn, Vm


@attrs.frozen
class Limits:
    """Of a VM, in frames."""

    admitted: bool = False
    minimum: Count = 0
    maximum: Count = 0


@attrs.frozen
class For:
    """For a VM, or for nobody."""

    somebody: bool = False
    vm: Vm = NOTHING

    def is_for(self, vm: Vm) -> bool:
        return self.somebody and self.vm == vm


@attrs.frozen
class Asked:
    """What came of a VM's asking for a frame."""

    given: bool
    vm: Vm


class Reservation(Design):
    limits: Total[Vm, Limits]
    reserved: Total[Mfn, For]
    """For whom a frame is kept, free or not."""
    held: Total[Mfn, For]
    """Who has it."""

    # ------------------------------------------------------------ admission

    @operation
    def reserve(self, vm: Vm, mfn: Mfn) -> None:
        """A VM that is to be admitted is promised one frame more."""
        limits = self.limits[vm]
        require(not limits.admitted)
        require(self.may_reserve(mfn))
        self.reserved[mfn] = For(True, vm)
        self.limits[vm] = attrs.evolve(limits, minimum=limits.minimum + 1)

    def may_reserve(self, mfn: Mfn) -> bool:
        """What somebody has, or is promised, cannot be promised to another."""
        return not self.reserved[mfn].somebody and not self.held[mfn].somebody

    @operation
    def unreserve(self, vm: Vm, mfn: Mfn) -> None:
        """A VM that is not admitted, or no longer, is promised one frame less."""
        limits = self.limits[vm]
        require(not limits.admitted)
        require(self.reserved[mfn].is_for(vm))
        self.reserved[mfn] = For()
        self.limits[vm] = attrs.evolve(limits, minimum=limits.minimum - 1)

    @operation
    def admit(self, vm: Vm, maximum: Count) -> None:
        limits = self.limits[vm]
        require(not limits.admitted)
        require(self.fits(limits, maximum))
        self.limits[vm] = attrs.evolve(limits, admitted=True, maximum=maximum)

    def fits(self, limits: Limits, maximum: Count) -> bool:
        return maximum >= limits.minimum

    # ------------------------------------------------------------ giving and taking

    @guest
    def ask(self, vm: Vm) -> Asked:
        """A VM wants a frame more. Below its minimum it gets one that is reserved for it; beyond, the policy may refuse."""
        require(self.limits[vm].admitted)
        if self.is_owed(vm):
            mfn: Mfn = choose(Mfn, lambda mfn: not self.held[mfn].somebody and self.reserved[mfn].is_for(vm))
            self.held[mfn] = For(True, vm)
            return Asked(True, vm)
        if self.has_all(vm) or fails("policy's consent"):
            return Asked(False, vm)
        spare: Mfn = choose(Mfn, lambda mfn: self.may_give(vm, mfn))
        self.held[spare] = For(True, vm)
        return Asked(True, vm)

    def is_owed(self, vm: Vm) -> bool:
        return self.holds(vm) < self.limits[vm].minimum

    def has_all(self, vm: Vm) -> bool:
        return self.holds(vm) >= self.limits[vm].maximum

    def may_give(self, vm: Vm, mfn: Mfn) -> bool:
        """Any frame that nobody has, and no other is promised."""
        return not self.held[mfn].somebody and (self.reserved[mfn].is_for(vm) or not self.reserved[mfn].somebody)

    @operation
    def revoke(self, mfn: Mfn) -> None:
        """The policy takes a frame from a VM that has more than its minimum."""
        held = self.held[mfn]
        require(held.somebody)
        require(self.may_revoke(held.vm))
        self.held[mfn] = For()

    def may_revoke(self, vm: Vm) -> bool:
        return self.holds(vm) > self.limits[vm].minimum

    @guest
    def give_back(self, vm: Vm, mfn: Mfn) -> None:
        """A VM returns a frame of its own accord."""
        require(self.held[mfn].is_for(vm))
        self.held[mfn] = For()

    @operation
    def retire(self, vm: Vm) -> None:
        """A VM that holds nothing any more is gone. What was kept for it can be given up."""
        limits = self.limits[vm]
        require(limits.admitted)
        require(self.holds(vm) == 0)
        self.limits[vm] = attrs.evolve(limits, admitted=False, maximum=0)

    def holds(self, vm: Vm) -> int:
        """How many frames a VM has."""
        return count(self.held, lambda held, mfn: held.is_for(vm))


def reserved_for(s: Reservation, vm: Vm) -> int:
    """How many frames are kept for a VM."""
    return count(s.reserved, lambda kept, mfn: kept.is_for(vm))
