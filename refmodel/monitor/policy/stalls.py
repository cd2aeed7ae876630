"""By pressure stall information: a VM that waits for memory grows, one that does not is squeezed until it nearly does.

After Senpai, which sets limits of control groups on Linux (facebookincubator/senpai, ``senpai.py``): below the target of stall a
little is reclaimed each round; above it the limit grows with the square of how far the stall is above. The kernel reports stall
as the part of time in which a task waits (Documentation/accounting/psi.rst).
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from refmodel.monitor.policy.claims import MemoryUse


@attrs.frozen
class Stalls:
    target: float = 0.001
    """The part of a period that a VM may wait: 0.1 per cent."""
    probe: float = 0.01
    """The part of what it has above its minimum that is reclaimed in a round without stall."""
    most_growth: float = 1.0
    """The part of what it has by which a VM grows in a round, at most; Senpai's 1."""
    gentle: float = 20.0
    """How far stall has to be above the target for the largest step; Senpai's 20."""
    balance: float = 0.02
    """The part of all memory that changes hands in a round where several VMs stall."""

    def targets(self, total: int, uses: Mapping[str, MemoryUse]) -> dict[str, int]:
        has = {name: min(max(use.allocated, use.claim.minimum), use.claim.maximum) for name, use in uses.items()}
        stalling = [name for name, use in uses.items() if use.stalled > self.target]
        for name, use in uses.items():
            if name not in stalling:
                has[name] -= int((has[name] - use.claim.minimum) * self.probe)
        self._cut(total, uses, has)
        for name in sorted(stalling, key=lambda n: (-uses[n].stalled, n)):
            use, free = uses[name], total - sum(has.values())
            part = min((use.stalled / self.target / self.gentle) ** 2, self.most_growth)
            has[name] += max(0, min(int(max(has[name], total // 100) * part) + 1, use.ceiling - has[name], free))
        self._balance(total, uses, has, stalling)
        return has

    def _cut(self, total: int, uses: Mapping[str, MemoryUse], has: dict[str, int]) -> None:
        """Where more is given than there is, those that wait least give first."""
        excess = sum(has.values()) - total
        for name in sorted(has, key=lambda n: (uses[n].stalled, n)):
            cut = min(max(0, excess), has[name] - uses[name].claim.minimum)
            has[name] -= cut
            excess -= cut

    def _balance(self, total: int, uses: Mapping[str, MemoryUse], has: dict[str, int], stalling: list[str]) -> None:
        """Where all memory is given out, the VM that waits most is given by the one that waits least, if far apart."""
        needy = [name for name in stalling if has[name] < uses[name].ceiling]
        able = [name for name in has if has[name] > uses[name].claim.minimum]
        if not needy or not able or total - sum(has.values()) > total // 100:
            return
        taker = max(needy, key=lambda n: (uses[n].stalled, n))
        giver = min(able, key=lambda n: (uses[n].stalled, n))
        if uses[taker].stalled > 2 * uses[giver].stalled + self.target:
            pages = min(int(total * self.balance), uses[taker].ceiling - has[taker], has[giver] - uses[giver].claim.minimum)
            has[taker] += max(0, pages)
            has[giver] -= max(0, pages)
