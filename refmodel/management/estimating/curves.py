"""Miss-ratio curves over time, as a monitor can have them."""

from __future__ import annotations

import attrs
import numpy as np

from refmodel.management.activity import Activity
from refmodel.management.estimating.stack_distance import COLD, Numbers, distances, misses, stream_of

POINTS = 48
"""Sizes at which a curve is kept."""
Curve = tuple[tuple[int, float], ...]


@attrs.frozen(eq=False)
class Curves:
    """The distances of all that a VM touches, so that the curve of any stretch of periods is at hand."""

    found: Numbers
    starts: Numbers
    sizes: Numbers

    @classmethod
    def of(cls, activity: Activity, periods: int) -> Curves:
        stream, starts = stream_of(activity, periods)
        return cls(distances(stream), starts, np.unique(np.linspace(0, activity.pages, POINTS).astype(np.int64)))

    def between(self, first: int, last: int) -> Curve:
        """Misses in a period, on average over the periods from ``first`` to ``last``, both included, by size."""
        first = max(0, first)
        part = self.found[self.starts[first] : self.starts[last + 1]]
        return tuple(zip(self.sizes.tolist(), (misses(part, self.sizes) / (last + 1 - first)).tolist(), strict=True))

    def beyond(self, first: int, last: int, hot: int) -> Curve:
        """Misses in a period by size, if accesses to the ``hot`` pages touched last are not seen: MEB leaves these pages mapped
        (VEE 2009)."""
        seen = [(size, found) for size, found in self.between(first, last) if size >= hot]
        return ((0, seen[0][1]), *seen) if seen and seen[0][0] > 0 else tuple(seen)

    def seen(self, period: int, hot: int, has: int) -> int:
        """Accesses in a period to pages beyond the ``hot`` ones touched last, and within the ``has`` that are there."""
        part = self.found[self.starts[period] : self.starts[period + 1]]
        return int(np.count_nonzero((part >= hot) & (part < has) & (part != COLD)))

    def need(self, first: int, last: int, ratio: float) -> int:
        """The least size with so small a ratio of misses that are not first accesses."""
        first = max(0, first)
        part = self.found[self.starts[first] : self.starts[last + 1]]
        warm = np.sort(part[part != COLD])
        if not len(warm):
            return 0
        at = int(np.ceil((1 - ratio) * len(warm))) - 1
        return int(warm[max(0, at)]) + 1
