"""A static partition: each VM has its minimum and, by its shares, a part of the rest. Nothing is ever taken, and nothing lent."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from refmodel.monitor.policy.claims import MemoryUse


@attrs.frozen
class StaticPartition:
    def targets(self, total: int, uses: Mapping[str, MemoryUse]) -> dict[str, int]:
        """What each VM has for good. What one may not have, because of its maximum, is divided among the others."""
        has = {name: use.claim.minimum for name, use in uses.items()}
        open_ = {name for name, use in uses.items() if has[name] < use.claim.maximum}
        while open_ and (left := total - sum(has.values())) >= len(open_):
            shares = sum(uses[name].claim.shares for name in open_)
            for name in sorted(open_):
                has[name] += min(
                    max(1, left * uses[name].claim.shares // shares),
                    uses[name].claim.maximum - has[name],
                    total - sum(has.values()),
                )
            open_ = {name for name in open_ if has[name] < uses[name].claim.maximum}
        return has
