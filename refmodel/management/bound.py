"""The bound: what no policy can do better, because it knows the future (Belady, IBM Systems Journal 5(2), 1966).

All VMs' pages compete for all memory, and the page goes whose next use is farthest away: the least number of pages read again. What
is written is bounded by itself: of changed pages, the one goes whose next store is farthest away. One schedule may not reach both
numbers. Nobody's minimum, maximum or shares are respected, no page is kept free, and moving memory takes no time. So it bounds the
total, and says nothing of one VM.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.management.activity import Activity, next_stores, next_uses
from refmodel.management.recording import Flags
from refmodel.management.scenario import Workload


@attrs.frozen(eq=False)
class Bound:
    """Pages read again and changed pages written, each the least that is possible."""

    again: int
    written: int


def bound(workload: Workload) -> Bound:
    """The least that is read again, and the least that is written."""
    activities = [vm.activity for vm in workload.vms]
    return Bound(
        least_read(activities, workload.periods, workload.pages), least_written(activities, workload.periods, workload.pages)
    )


def least_read(activities: Sequence[Activity], periods: int, pages: int) -> int:
    """The least number of pages read again, where ``pages`` can stay from one period to the next."""
    coming = np.concatenate([next_uses(activity, periods) for activity in activities], axis=1)
    resident, gone, again = np.zeros(coming.shape[1], np.bool_), np.zeros(coming.shape[1], np.bool_), 0
    for period in range(periods):
        touched = np.concatenate([activity.touched(period) for activity in activities])
        again += int(np.count_nonzero(touched & gone))
        resident |= touched
        gone &= ~touched
        going = _farthest(resident, coming[period], pages)
        resident[going], gone[going] = False, True
    return again


def least_written(activities: Sequence[Activity], periods: int, pages: int) -> int:
    """The least number of changed pages written. A VM that does nothing waits for nothing: what is written before a period in
    which it does nothing is not counted, and nor is what is written after the last."""
    coming = np.concatenate([next_stores(activity, periods) for activity in activities], axis=1)
    dirty, written = np.zeros(coming.shape[1], np.bool_), 0
    for period in range(periods - 1):
        dirty |= np.concatenate([activity.changed(period) for activity in activities])
        dirty &= np.concatenate([np.full(activity.pages, activity.touched(period + 1).any()) for activity in activities])
        going = _farthest(dirty, coming[period], pages)
        written += len(going)
        dirty[going] = False
    return written


def _farthest(here: Flags, coming: npt.NDArray[np.int32], pages: int) -> npt.NDArray[np.int64]:
    """Those that go, so that no more than ``pages`` are left: those needed again last."""
    found = np.flatnonzero(here)
    excess = len(found) - pages
    return found[np.argpartition(-coming[found], excess - 1)[:excess]] if excess > 0 else found[:0]
