"""Resource control, the half about guarantees: nobody gets less than was promised, or more than is allowed."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Gfn, Mfn, Vm
from refmodel.mmu.replies import Handled, Result
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import Backing
from refmodel.monitor.reservation import Reservation, reserved_for


@law("RES-4", "The number of frames that are reserved for a VM equals the VM's minimum.")
def minimums_are_kept(s: Reservation, vm: Vm) -> Any:
    return s.limits[vm].minimum == reserved_for(s, vm)


@law("RES-4", "A frame that is reserved for a VM is free, or is used by that VM and not shared.")
def what_is_reserved_is_given_to_no_other(s: Reservation, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    return implies(s.reserved[mfn] != NOTHING, frame.use == Use.FREE or (frame.vm == s.reserved[mfn] and frame.use != Use.SHARED))


@law("RES-4", "No VM is given a free frame beyond its maximum.")
def maximums_are_kept(s: Reservation, before: Reservation, mfn: Mfn, vm: Vm) -> Any:
    is_given = before.frames[mfn].use == Use.FREE and s.frames[mfn].use != Use.FREE and s.frames[mfn].vm == vm
    return implies(is_given, s.frames_of(vm) <= s.limits[vm].maximum)


@law("RES-4", "An admitted VM's minimum is at most its maximum. A VM that is not admitted has a maximum of zero.")
def limits_are_limits(s: Reservation, vm: Vm) -> Any:
    limits = s.limits[vm]
    return implies(limits.admitted, limits.minimum <= limits.maximum) and implies(not limits.admitted, limits.maximum == 0)


@law("RES-4", "The minimum and the maximum of a VM do not change while the VM is admitted.")
def promises_stay(s: Reservation, before: Reservation, vm: Vm) -> Any:
    return implies(before.limits[vm].admitted and s.limits[vm].admitted, s.limits[vm] == before.limits[vm])


@law("RES-4", "An exit of an admitted VM fails for lack of a frame only if the VM has at least its minimum of frames.")
def below_the_minimum_nobody_is_refused(s: Reservation, before: Reservation, outcome: Handled) -> Any:
    vm, limits = outcome.vm, before.limits[outcome.vm]
    is_refused = outcome.result == Result.FAILED and wants_a_frame(before, outcome) and wants_a_frame(s, outcome)
    return implies(is_refused and limits.admitted, s.frames_of(vm) >= limits.minimum)


def wants_a_frame(s: Reservation, outcome: Handled) -> Any:
    """Whether an exit needs a frame, and neither a flush nor room in a log first: for a page that was promised, or for a copy of a
    shared one."""
    entry = s.p2m[outcome.vm, outcome.gfn]
    is_copied = entry.resident and (
        outcome.write and s.frames[entry.mfn].use == Use.SHARED and s.has_log_room(outcome.vm, outcome.gfn)
    )
    is_flushed = s.is_flushed(outcome.vm, outcome.gfn) and s.may_leave(outcome.vm, outcome.gfn)
    return s.is_covered(outcome.gfn) and is_flushed and (entry.backing == Backing.PROMISED or is_copied)


@law("RES-4", "After an exit is reported as served, the page is in a frame.")
def what_is_said_to_be_given_is(s: Reservation, outcome: Handled) -> Any:
    return implies(outcome.result == Result.INSTALLED, s.p2m[outcome.vm, outcome.gfn].resident)


@law(
    "RES-4",
    "After the monitor or another VM takes a frame from a VM with an admitted minimum, that VM still has at least this minimum.",
)
def nobody_is_taken_below_the_minimum(s: Reservation, before: Reservation, actor: Vm, vm: Vm, gfn: Gfn) -> Any:
    is_taken = before.p2m[vm, gfn].resident and not s.p2m[vm, gfn].resident
    return implies(is_taken and vm != actor and before.limits[vm].admitted, s.frames_of(vm) >= s.limits[vm].minimum)


@law("RES-3", "The monitor is always allowed to take pages of a VM that has more frames than its minimum.")
def only_the_minimum_is_spared(s: Reservation, before: Reservation, vm: Vm) -> Any:
    limits = before.limits[vm]
    return implies(not before.may_be_taken(vm), limits.admitted and before.frames_of(vm) <= limits.minimum)
