"""Stack distances, and the miss-ratio curve that follows from them (Mattson et al., IBM Systems Journal 9(2), 1970).

The distance of an access is the number of *other* pages touched since the same page was touched last. Under LRU with ``c``
pages an access misses exactly if its distance is ``c`` or more, so one pass gives the misses for every size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from refmodel.management.activity import Activity

Numbers = npt.NDArray[np.int64]
COLD = np.iinfo(np.int64).max
"""The distance of a page's first access."""
MIXED = 0x9E3779B97F4A7C15
"""An odd multiplier: the high bits of page * MIXED choose pages as by chance (Fibonacci hashing)."""


def distances(stream: Numbers) -> Numbers:
    """The distance of each access of a stream of page numbers, ``COLD`` at a page's first.

    With p(i) the index of the access before to the same page: d(i) = i - p(i) - 1 - #{ j < i : p(j) > p(i) }. The pages in between
    are counted once each, by taking those away that are touched again.
    """
    before = previous(stream)
    found = np.arange(len(stream)) - before - 1 - larger_before(before)
    return np.where(before < 0, COLD, found)


def previous(stream: Numbers) -> Numbers:
    """By access: the index of the access before to the same page, or -1."""
    order = np.argsort(stream, kind="stable")
    same = stream[order][1:] == stream[order][:-1]
    found = np.full(len(stream), -1, np.int64)
    found[order[1:][same]] = order[:-1][same]
    return found


def larger_before(values: Numbers) -> Numbers:
    """By element: how many elements before it are larger.

    Elements are parted by the highest bit of their rank, then each part by the next, and stay in order within a part. One with
    the bit clear has those before it in its part that have it set.
    """
    count = len(values)
    found = np.zeros(count, np.int64)
    rank = np.empty(count, np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(count)  # of equal ones the later has the larger, and none is counted
    order = np.arange(count)
    for bit in range(max(0, count - 1).bit_length() - 1, -1, -1):
        ranks = rank[order]
        is_set = ranks >> bit & 1
        start = ranks >> bit + 1 << bit + 1  # ranks are 0, 1, 2, ..., so a part begins where its least rank says
        through = np.concatenate([[0], np.cumsum(is_set)])
        ones = through[:-1] - through[start]
        found[order] += np.where(is_set == 0, ones, 0)
        place = np.where(is_set == 1, start + (1 << bit) + ones, np.arange(count) - ones)
        order = _placed(order, place)
    return found


def _placed(order: Numbers, place: Numbers) -> Numbers:
    found = np.empty_like(order)
    found[place] = order
    return found


def misses(found: Numbers, sizes: Numbers) -> Numbers:
    """How many accesses that are not the first of their page miss, for each size."""
    warm = np.sort(found[found != COLD])
    return len(warm) - np.searchsorted(warm, sizes, side="left")


def sampled(stream: Numbers, rate: float) -> npt.NDArray[np.bool_]:
    """Which accesses SHARDS looks at: those to a part of all pages, chosen by a hash (Waldspurger et al., FAST 2015)."""
    mixed = stream.astype(np.uint64) * np.uint64(MIXED)
    return (mixed >> np.uint64(40)) < np.uint64(int(rate * (1 << 24)))


def stream_of(activity: Activity, periods: int) -> tuple[Numbers, Numbers]:
    """The pages touched, period by period, and the index at which each period begins; within one they are in order."""
    rows = [np.flatnonzero(activity.touched(period)) for period in range(periods)]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return (np.concatenate(rows) if rows else np.empty(0)).astype(np.int64), starts
