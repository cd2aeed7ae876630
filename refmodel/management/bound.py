"""The bound: no policy reads fewer pages, because this one knows the future (Belady, IBM Systems Journal 5(2), 1966).

All VMs' pages compete for all memory, and the page goes whose next use is farthest away: the least number of pages read again. Each
VM keeps its minimum. Nobody's shares are respected, and moving memory takes no time, so it bounds the total and nothing else.
It does not ask whether a page has to be written when it goes: where writes differ much, a policy may wait less.
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.management.activity import next_uses
from refmodel.management.scenario import Workload


@attrs.frozen(eq=False)
class Bound:
    """Pages read again and changed pages written, by period and VM, in the order of the workload's VMs."""

    again: npt.NDArray[np.int64]
    written: npt.NDArray[np.int64]


def bound(workload: Workload, pages: int) -> Bound:
    """The least that is read again if ``pages`` are given out."""
    owner = np.concatenate([np.full(vm.activity.pages, number) for number, vm in enumerate(workload.vms)])
    coming = np.concatenate([next_uses(vm.activity, workload.periods) for vm in workload.vms], axis=1)
    minimums = np.array([vm.claim.minimum for vm in workload.vms])
    resident, gone, dirty = (np.zeros(len(owner), np.bool_) for _ in range(3))
    again, written = (np.zeros((workload.periods, len(workload.vms)), np.int64) for _ in range(2))
    for period in range(workload.periods):
        touched = np.concatenate([vm.activity.touched(period) for vm in workload.vms])
        changed = np.concatenate([vm.activity.changed(period) for vm in workload.vms])
        again[period] = np.bincount(owner[touched & ~resident & gone], minlength=len(workload.vms))
        resident |= touched
        gone &= ~touched
        dirty |= changed
        going = _farthest(resident, coming[period], owner, minimums, pages)
        written[period] = np.bincount(owner[going[dirty[going]]], minlength=len(workload.vms))
        resident[going], gone[going], dirty[going] = False, True, False
    return Bound(again, written)


def _farthest(resident: npt.NDArray[np.bool_], coming: npt.NDArray[np.int32], owner: npt.NDArray[np.int64],
              minimums: npt.NDArray[np.int64], pages: int) -> npt.NDArray[np.int64]:
    """The pages that go: those used again last, as long as their VM has more than its minimum."""
    here = np.flatnonzero(resident)
    excess = len(here) - pages
    if excess <= 0:
        return here[:0]
    later = -(coming[here].astype(np.int64) * len(resident) + here)  # no two alike, so that every machine chooses the same
    going = here[np.argpartition(later, excess - 1)[:excess]]
    left = np.bincount(owner[here], minlength=len(minimums)) - np.bincount(owner[going], minlength=len(minimums))
    if (left >= minimums).all():
        return going
    order = here[np.argsort(later)]
    may_lose = np.maximum(0, np.bincount(owner[here], minlength=len(minimums)) - minimums)
    rank = np.empty(len(order), np.int64)
    for number in range(len(minimums)):
        its = owner[order] == number
        rank[its] = np.arange(np.count_nonzero(its))
    found: npt.NDArray[np.int64] = order[rank < may_lose[owner[order]]][:excess]
    return found
