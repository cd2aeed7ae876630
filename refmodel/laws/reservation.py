"""Resource control, the half about guarantees: nobody gets less than was promised, or more than is allowed."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Mfn, Vm
from refmodel.monitor.reservation import Asked, Reservation, reserved_for


@law("RES-4", "As many frames are kept for a VM as its minimum says.")
def minimums_are_kept(s: Reservation, vm: Vm) -> Any:
    return s.limits[vm].minimum == reserved_for(s, vm)


@law("RES-4", "A frame that is kept for a VM is free, or its own.")
def what_is_kept_is_given_to_no_other(s: Reservation, mfn: Mfn) -> Any:
    return implies(s.reserved[mfn].somebody and s.held[mfn].somebody, s.held[mfn].vm == s.reserved[mfn].vm)


@law("RES-4", "No VM has more than its maximum.")
def maximums_are_kept(s: Reservation, vm: Vm) -> Any:
    return s.holds(vm) <= s.limits[vm].maximum


@law("RES-4", "A minimum is no more than the maximum, and who is not admitted has none.")
def limits_are_limits(s: Reservation, vm: Vm) -> Any:
    limits = s.limits[vm]
    return (implies(limits.admitted, limits.minimum <= limits.maximum) and implies(not limits.admitted, limits.maximum == 0))


@law("RES-4", "A VM that asks for a frame is refused only if it has its minimum.")
def below_the_minimum_nobody_is_refused(s: Reservation, before: Reservation, outcome: Asked) -> Any:
    return implies(not outcome.given, before.holds(outcome.vm) >= before.limits[outcome.vm].minimum)


@law("RES-4", "A VM that is told that it was given a frame has one more than before; one that is refused has as many.")
def what_is_said_to_be_given_is(s: Reservation, before: Reservation, outcome: Asked) -> Any:
    return s.holds(outcome.vm) == before.holds(outcome.vm) + (1 if outcome.given else 0)


@law("RES-4", "Nobody is taken below its minimum but by its own doing.")
def nobody_is_taken_below_the_minimum(s: Reservation, before: Reservation, actor: Vm, vm: Vm) -> Any:
    return implies(vm != actor and before.limits[vm].admitted and before.holds(vm) >= before.limits[vm].minimum
                   and s.limits[vm].admitted, s.holds(vm) >= s.limits[vm].minimum)
