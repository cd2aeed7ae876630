"""A balloon manager that goes by pressure: who is short is given, who has idle memory is asked for it, a little each time.

No shares: what counts is what is in use, with some slack. (As oVirt's MOM goes by what its guests report of their memory: what
is used and a headroom, by steps of 5 per cent.) Two thresholds keep it still: a VM is short above the one and has to spare below
the other, and between them nobody does anything.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from refmodel.monitor.policy.claims import MemoryUse


@attrs.frozen
class Pressure:
    short_above: float = 0.9
    """The active part of what a VM has, above which it is short."""
    spare_below: float = 0.7
    step: float = 0.05
    """The part of all memory that moves each time, at most."""

    def targets(self, total: int, uses: Mapping[str, MemoryUse]) -> dict[str, int]:
        most = max(1, int(total * self.step))
        has = {name: min(max(use.allocated, use.claim.minimum), use.claim.maximum) for name, use in uses.items()}
        for name, use in uses.items():
            if has[name] * use.active < self.spare_below * has[name]:
                useful = int(has[name] * use.active / self.spare_below)
                has[name] = max(use.claim.minimum, useful, has[name] - most)
        excess = sum(has.values()) - total
        for name in sorted(has, key=lambda n: (uses[n].active, n)):
            cut = min(max(0, excess), has[name] - uses[name].claim.minimum)
            has[name] -= cut
            excess -= cut
        for name, use in sorted(uses.items(), key=lambda item: (-item[1].active, item[0])):
            if use.active > self.short_above:
                has[name] += max(0, min(most, use.ceiling - has[name], total - sum(has.values())))
        self._share_shortage(uses, has, most)
        return has

    def _share_shortage(self, uses: Mapping[str, MemoryUse], has: dict[str, int], most: int) -> None:
        """Where all are short, who has the least is given by who has the most, as long as they are far apart: nobody starves."""
        short = [name for name, use in uses.items() if use.active > self.short_above]
        needy = [name for name in short if has[name] < uses[name].ceiling]
        able = [name for name in short if has[name] > uses[name].claim.minimum]
        if needy and able:
            least, largest = min(needy, key=lambda n: (has[n], n)), max(able, key=lambda n: (has[n], n))
            if has[largest] - has[least] > 2 * most:
                pages = min(most, uses[least].ceiling - has[least], has[largest] - uses[largest].claim.minimum)
                has[least] += pages
                has[largest] -= pages
