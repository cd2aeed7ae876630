"""Self-ballooning: each guest balloons by itself to what its programs were promised (Linux, ``drivers/xen/xen-selfballoon.c``).

The goal is what the kernel has committed. A guest above it gives up an eighth of the difference each round; one below it takes all
of the difference at once, if the memory is there. Nobody weighs guests against each other: memory that none has stays with the
monitor. With transcendent memory the monitor keeps pages in it that guests have evicted.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from refmodel.monitor.policy.claims import MemoryUse

DOWN, UP = 8, 1
"""The defaults of ``selfballoon_downhysteresis`` and ``selfballoon_uphysteresis``."""


@attrs.frozen
class SelfBallooning:
    tmem: bool = False
    """Memory that no guest has is pools for pages that guests evict."""

    def targets(self, total: int, uses: Mapping[str, MemoryUse]) -> dict[str, int]:
        """Who gives, gives first. What is wanted beyond what is free is divided by what each wants."""
        has = {name: min(max(use.allocated, use.claim.minimum), use.claim.maximum) for name, use in uses.items()}
        goals = {
            name: max(use.claim.minimum, min(use.claim.maximum, use.wanted if use.committed is None else use.committed))
            for name, use in uses.items()
        }
        has = {name: now - max(1, (now - goals[name]) // DOWN) if now > goals[name] else now for name, now in has.items()}
        free = total - sum(has.values())
        for name in sorted(has, key=lambda n: (goals[n] - has[n], n)):
            if free < 0:
                cut = min(-free, has[name] - uses[name].claim.minimum)
                has[name] -= cut
                free += cut
        wants = {name: max(0, (goals[name] - has[name]) // UP) for name in has}
        asked = sum(wants.values())
        for name, want in wants.items():
            has[name] += want if asked <= free else want * max(0, free) // max(1, asked)
        return has
