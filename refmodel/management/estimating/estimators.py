"""Estimators of need, each against the truth.

The truth is the working set: the pages touched in the last ``WINDOW`` periods (Denning, CACM 11(5), 1968). An estimator sees what a
monitor can see of a VM that has some memory, and says after each period how many pages the VM needs.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.management.activity import Activity, working_sets
from refmodel.management.estimating.curves import Curves
from refmodel.management.estimating.stack_distance import COLD, Numbers, distances, misses, sampled, stream_of
from refmodel.management.simulation import HOT, WINDOW, Memory
from refmodel.monitor.policy.sampling import SAMPLE, Estimate

SHARDS_RATE = 1 / 16
RATIO = 0.05
"""Of accesses that are not first ones: a VM needs the least size at which no more of them miss."""
GHOSTS = 0.95
"""Of the reads of pages that had gone: so many are to fit."""
LOG = 512
"""Entries of a page-modification log (SDM Vol. 3C, page-modification logging): an exit when they are used up."""


@attrs.frozen(eq=False)
class Estimated:
    """What an estimator says after each period, and what it took."""

    pages: npt.NDArray[np.float64]
    faults: float
    """Exits that it causes in a period, on average."""


@attrs.frozen(eq=False)
class Watched:
    """A VM that has ``allocated`` pages, and what it does for so many periods."""

    activity: Activity
    periods: int
    allocated: int
    seed: int = 0


def truth(watched: Watched) -> npt.NDArray[np.int64]:
    """Working sets."""
    return working_sets(watched.activity, watched.periods, WINDOW)


def by_sampling(watched: Watched) -> Estimated:
    """Sampling: which part of 100 random resident pages was touched; of several averages, the largest counts (Waldspurger,
    OSDI 2002, section 5.3)."""
    draw, memory, estimate = np.random.default_rng(watched.seed), Memory.of(watched.activity.pages), Estimate()
    found, faults = np.zeros(watched.periods), 0
    for period in range(watched.periods):
        touched = watched.activity.touched(period)
        here = np.flatnonzero(memory.resident)
        chosen = draw.choice(here, min(SAMPLE, len(here)), replace=False) if len(here) else here
        seen = int(np.count_nonzero(touched[chosen]))
        memory.touch(touched, watched.activity.changed(period))
        memory.evict_to(watched.allocated)
        if len(chosen):
            estimate = estimate.after(seen, len(chosen))
        faults += seen
        found[period] = estimate.active * int(np.count_nonzero(memory.resident))
    return Estimated(found, faults / watched.periods)


def by_stack_distances(watched: Watched) -> Estimated:
    """Mattson's stack distances of every access. They give an exact miss-ratio curve, and so the size at which few accesses
    miss."""
    curves = Curves.of(watched.activity, watched.periods)
    found = [curves.need(period - WINDOW + 1, period, RATIO) for period in range(watched.periods)]
    return Estimated(np.array(found, float), len(curves.found) / watched.periods)


def by_shards(watched: Watched) -> Estimated:
    """SHARDS: stack distances of a sixteenth of the pages, which a hash chooses, scaled to all pages (Waldspurger and others,
    FAST 2015)."""
    stream, starts = stream_of(watched.activity, watched.periods)
    chosen = sampled(stream, SHARDS_RATE)
    found = distances(stream[chosen])
    found = np.where(found == COLD, COLD, (np.minimum(found, watched.activity.pages) / SHARDS_RATE).astype(np.int64))
    through = np.concatenate([[0], np.cumsum(chosen)])
    curves = Curves(found, through[starts], np.empty(0, np.int64))
    need = [curves.need(period - WINDOW + 1, period, RATIO) for period in range(watched.periods)]
    return Estimated(np.array(need, float), int(chosen.sum()) / watched.periods)


def by_hot_set(watched: Watched) -> Estimated:
    """A hot set, as in MEB (VEE 2009). Accesses to the pages touched last are not seen; every other access faults, and has a
    stack distance. Where no fault is seen, the need is the hot set at most."""
    curves, hot = Curves.of(watched.activity, watched.periods), int(HOT * watched.allocated)
    found, seen = list[float](), 0.0
    for period in range(watched.periods):
        first = max(0, period - WINDOW + 1)
        part = curves.found[curves.starts[first] : curves.starts[period + 1]]
        beyond = np.sort(part[(part != COLD) & (part >= hot)])
        allowed = int(RATIO * np.count_nonzero(part != COLD))
        found.append(float(beyond[len(beyond) - 1 - allowed] + 1) if len(beyond) > allowed else float(hot))
        seen += len(beyond) / (period + 1 - first)
    return Estimated(np.array(found), seen / watched.periods)


def by_ghosts(watched: Watched) -> Estimated:
    """A ghost list, as in Geiger (ASPLOS 2006): pages that were evicted are kept in a list. A page that is read again shows how
    much more memory would have kept it. The list shows nothing of a need below the allocation."""
    memory = Memory.of(watched.activity.pages)
    found, recent = np.zeros(watched.periods), list[Numbers]()
    for period in range(watched.periods):
        ghosts = np.sort(memory.stamp[memory.gone])
        stamps = memory.stamp.copy()
        _, back = memory.touch(watched.activity.touched(period), watched.activity.changed(period))
        memory.evict_to(watched.allocated)
        recent = [*recent[-WINDOW + 1 :], len(ghosts) - np.searchsorted(ghosts, stamps[back], side="left")]
        deep = np.concatenate(recent)
        more = float(np.quantile(deep, GHOSTS)) if len(deep) else 0.0
        found[period] = (watched.allocated if len(deep) else int(np.count_nonzero(memory.resident))) + more
    return Estimated(found, 0.0)


def by_modification_log(watched: Watched) -> Estimated:
    """The page-modification log: pages written to of late. It sees no reads, so it says how fast memory becomes dirty, and not how
    much is needed (Bitchebe et al., VEE 2021)."""
    last = np.full(watched.activity.pages, -WINDOW)
    found, entries = np.zeros(watched.periods), 0
    for period in range(watched.periods):
        changed = watched.activity.changed(period)
        last[changed] = period
        entries += int(np.count_nonzero(changed))
        found[period] = np.count_nonzero(last > period - WINDOW)
    return Estimated(found, entries / LOG / watched.periods)


ESTIMATORS: dict[str, Callable[[Watched], Estimated]] = {
    "sampling": by_sampling,
    "stack distances": by_stack_distances,
    "SHARDS": by_shards,
    "hot set": by_hot_set,
    "ghost list": by_ghosts,
    "modification log": by_modification_log,
}
"""By name."""


@attrs.frozen
class Error:
    """The error of an estimator over all periods, as a part of the largest working set."""

    estimator: str
    mean: float
    """The mean of the absolute error."""
    bias: float
    """The mean of the error: above 0 it says too much."""
    faults: float


def errors(watched: Watched) -> list[Error]:
    """Each estimator against the truth."""
    due, found = truth(watched), []
    for name, estimator in ESTIMATORS.items():
        said = estimator(watched)
        off = (said.pages - due) / max(1, int(due.max()))
        found.append(Error(name, float(np.abs(off).mean()), float(off.mean()), said.faults))
    return found


def curve_error(activity: Activity, periods: int, rate: float = SHARDS_RATE) -> float:
    """How far SHARDS' miss-ratio curve is from the exact one: the mean absolute difference over all sizes."""
    stream, _ = stream_of(activity, periods)
    chosen = sampled(stream, rate)
    sizes = np.linspace(0, activity.pages, 64).astype(np.int64)
    exact, some = distances(stream), distances(stream[chosen])
    due = misses(exact, sizes) / max(1, int(np.count_nonzero(exact != COLD)))
    said = misses(some, (sizes * rate).astype(np.int64)) / max(1, int(np.count_nonzero(some != COLD)))
    return float(np.abs(due - said).mean())
