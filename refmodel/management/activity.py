"""What a VM does to its pages, period by period."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.management.recording import Flags, Recording

NEVER = np.iinfo(np.int32).max
"""The period of a next use that does not come."""


@attrs.frozen
class Phase:
    """From this period on a VM uses so many pages."""

    at: int
    active: int


class Activity(Protocol):
    """Which pages are touched and changed in a period. Arrays have one flag for each of ``pages``."""

    @property
    def pages(self) -> int: ...
    @property
    def seconds(self) -> float:
        """Of a period."""

    def touched(self, period: int) -> Flags: ...
    def changed(self, period: int) -> Flags: ...


@attrs.frozen(eq=False)
class Phases:
    """In each phase a fixed set of pages is touched, and all of them are changed."""

    phases: tuple[Phase, ...]
    seconds: float = 1.0

    @property
    def pages(self) -> int:
        return max(phase.active for phase in self.phases)

    def active(self, period: int) -> int:
        """Pages used in a period; none before the first phase."""
        begun = bisect.bisect_right(self.phases, period, key=lambda phase: phase.at)
        return self.phases[begun - 1].active if begun else 0

    def touched(self, period: int) -> Flags:
        found = np.zeros(self.pages, np.bool_)
        found[: self.active(period)] = True
        return found

    def changed(self, period: int) -> Flags:
        return self.touched(period)


@attrs.frozen(eq=False)
class Replayed:
    """A recording, from a period on, once or again and again; between two runs the VM rests."""

    recording: Recording
    start: int = 0
    repeat: bool = True
    pause: int = 0
    """Periods of rest after each run."""
    skip: int = 0
    """Samples at the beginning that are left out: the program has been running for a while."""

    @property
    def pages(self) -> int:
        return self.recording.pages

    @property
    def seconds(self) -> float:
        return self.recording.interval

    def _row(self, period: int) -> int | None:
        at, samples = period - self.start, self.recording.samples - self.skip
        if self.repeat:
            at %= samples + self.pause
        return self.skip + at if period >= self.start and at < samples else None

    def touched(self, period: int) -> Flags:
        row = self._row(period)
        return np.zeros(self.pages, np.bool_) if row is None else self.recording.touched[row]

    def changed(self, period: int) -> Flags:
        row = self._row(period)
        return np.zeros(self.pages, np.bool_) if row is None else self.recording.stored[row]


def next_uses(activity: Activity, periods: int) -> npt.NDArray[np.int32]:
    """For each period and page, the next period after it in which the page is touched, or ``NEVER``."""
    return _next(activity.touched, activity.pages, periods)


def next_stores(activity: Activity, periods: int) -> npt.NDArray[np.int32]:
    """For each period and page, the next period after it in which the page is changed, or ``NEVER``."""
    return _next(activity.changed, activity.pages, periods)


def _next(flags: Callable[[int], Flags], pages: int, periods: int) -> npt.NDArray[np.int32]:
    found = np.empty((periods, pages), np.int32)
    following = np.full(pages, NEVER, np.int32)
    for period in range(periods - 1, -1, -1):
        found[period] = following
        following[flags(period)] = period
    return found


def working_sets(activity: Activity, periods: int, window: int) -> npt.NDArray[np.int64]:
    """For each period, how many pages were touched in it or in the ``window`` - 1 before."""
    return _working_sets(activity, periods, window, np.ones(activity.pages, np.bool_))


def own_working_sets(activity: Activity, periods: int, window: int) -> npt.NDArray[np.int64]:
    """For each period, how many pages were touched in it or in the ``window`` - 1 before, of those that were ever stored to: pages
    of files are left out."""
    return _working_sets(activity, periods, window, np.zeros(activity.pages, np.bool_))


def _working_sets(activity: Activity, periods: int, window: int, counted: Flags) -> npt.NDArray[np.int64]:
    """Of the pages that are counted, and those that come to be changed."""
    last = np.full(activity.pages, -window, np.int64)
    found = np.zeros(periods, np.int64)
    for period in range(periods):
        last[activity.touched(period)] = period
        counted |= activity.changed(period)
        found[period] = np.count_nonzero(counted & (last > period - window))
    return found
