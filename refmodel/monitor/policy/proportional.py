"""Memory in proportion: every VM gets the same part of what lies between its minimum and its maximum.

So Xen's ``squeezed`` divides memory (xapi-project/squeezed): a VM gets ``minimum + g * (maximum - minimum)``, with one ``g``
from 0 to 1 for all, the largest for which there is memory. It asks guests nothing, and knows neither shares nor idleness.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from refmodel.monitor.policy.claims import MemoryUse


@attrs.frozen
class Proportional:
    def targets(self, total: int, uses: Mapping[str, MemoryUse]) -> dict[str, int]:
        """What each VM has, rounded down."""
        spread = sum(use.claim.maximum - use.claim.minimum for use in uses.values())
        left = max(0, total - sum(use.claim.minimum for use in uses.values()))
        return {
            name: use.claim.minimum + (use.claim.maximum - use.claim.minimum) * min(left, spread) // max(1, spread)
            for name, use in uses.items()
        }
