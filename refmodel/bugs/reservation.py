"""Mutants of minimum and maximum."""

from refmodel.designs import Reservations
from refmodel.language import require
from refmodel.machine.names import Count, Mfn, Vm
from refmodel.monitor.reservation import Asked, Limits


class KeptGivenAway(Reservations):
    """A frame that is kept for one VM is given to another that asks, as long as it is free."""

    def may_give(self, vm: Vm, mfn: Mfn) -> bool:
        return not self.held[mfn].somebody


class PromisedTwice(Reservations):
    """A frame that was promised to one VM is promised to another."""

    def may_reserve(self, mfn: Mfn) -> bool:
        return not self.held[mfn].somebody


class RevokedBelowMinimum(Reservations):
    """The policy takes what it likes, and forgets the minimum."""

    def may_revoke(self, vm: Vm) -> bool:
        return True


class GivenBeyondMaximum(Reservations):
    """The policy gives as long as there is something to give."""

    def has_all(self, vm: Vm) -> bool:
        return False


class RefusedBelowMinimum(Reservations):
    """A VM below its minimum has to wait for the policy's consent as everybody else."""

    def is_owed(self, vm: Vm) -> bool:
        return False


class AdmittedBelowMinimum(Reservations):
    """A VM is admitted with a maximum below its minimum."""

    def fits(self, limits: Limits, maximum: Count) -> bool:
        return True


class GivenInName(Reservations):
    """A VM whose minimum is kept for it is told that it has a frame, and has none."""

    def ask(self, vm: Vm) -> Asked:
        require(self.limits[vm].admitted)
        return Asked(self.is_owed(vm), vm)
