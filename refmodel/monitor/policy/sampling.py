"""How much of its memory a VM uses: statistical sampling (Waldspurger, OSDI 2002, section 5.3).

In each period a few pages are chosen at random, and their translations withdrawn (``access_tracking``); those that are touched by
its end are in use, and their part of the sample estimates that of all. Three moving averages, a slow one, a fast one, and a fast
one that counts the period under way: the largest is taken, so that a VM is thought to be busy at once, and idle only after a while.
A VM cannot see it but as time, and cannot be asked to say otherwise.
"""

from __future__ import annotations

import attrs

SAMPLE = 100
"""Pages in a sample."""
SLOW, FAST = 0.1, 0.5
"""The weight of the newest period."""


@attrs.frozen
class Estimate:
    """The part of a VM's pages that is in use."""

    slow: float = 1.0
    fast: float = 1.0
    current: float = 1.0

    @property
    def active(self) -> float:
        return max(self.slow, self.fast, self.current)

    def after(self, touched: int, sample: int = SAMPLE) -> Estimate:
        """The estimate after a period in which so many pages of the sample were touched."""
        part = touched / sample
        fast = self.fast + FAST * (part - self.fast)
        return attrs.evolve(self, slow=self.slow + SLOW * (part - self.slow), fast=fast, current=fast + FAST * (part - fast))
