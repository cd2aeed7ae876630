"""Balancing by miss-ratio curves: memory goes where a page more saves most misses.

After MEB (Zhao and Wang, VEE 2009). Each VM has a curve: the misses in a period that it would have with so many pages. Where all
curves are convex, giving memory step by step to whoever gains most from a page finds the least total of misses. A curve with a
cliff is not convex, so its lower convex hull is used: what lies before a cliff is given for it. Where memory ends before the cliff
does, that was in vain. What nobody gains from is divided in proportion to what each still wants.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from refmodel.monitor.policy.claims import MemoryUse

Curve = tuple[tuple[int, float], ...]


def hull(curve: Curve) -> list[tuple[int, float]]:
    """The lower convex hull of a curve, by ascending size."""
    found = list[tuple[int, float]]()
    for size, misses in curve:
        while len(found) >= 2 and _slope(found[-2], found[-1]) >= _slope(found[-2], (size, misses)):
            found.pop()
        found.append((size, misses))
    return found


def _slope(a: tuple[int, float], b: tuple[int, float]) -> float:
    return (b[1] - a[1]) / max(1, b[0] - a[0])


@attrs.frozen
class MissRatioBalancing:
    least_gain: float = 0.0
    """Misses in a period that a page has to save; what saves less is not given for it."""
    inertia: float = 0.02
    """The part of all memory below which a change is not worth its cost."""

    def targets(self, total: int, uses: Mapping[str, MemoryUse]) -> dict[str, int]:
        has = {name: use.claim.minimum for name, use in uses.items()}
        left = total - sum(has.values())
        steps = sorted((step for name, use in uses.items() for step in self._steps(name, use)), key=lambda s: (-s[0], s[1], s[2]))
        for _, name, size in steps:
            grant = min(left, max(0, size - has[name]))
            has[name] += grant
            left -= grant
        self._rest(uses, has, left)
        return self._kept(total, uses, has)

    def _steps(self, name: str, use: MemoryUse) -> list[tuple[float, str, int]]:
        """The parts of a VM's hull: misses saved by a page, and the size that a part leads to."""
        points = [(size, misses) for size, misses in hull(use.curve) if size > use.claim.minimum]
        floor = next((m for s, m in reversed(use.curve) if s <= use.claim.minimum), use.curve[0][1] if use.curve else 0.0)
        found, before = list[tuple[float, str, int]](), (use.claim.minimum, floor)
        for size, misses in points:
            gain = -_slope(before, (size, misses))
            if gain > self.least_gain:
                found.append((gain, name, min(size, use.claim.maximum)))
            before = (size, misses)
        return found

    def _rest(self, uses: Mapping[str, MemoryUse], has: dict[str, int], left: int) -> None:
        """What saves nobody a miss: in proportion, up to what each wants and may have."""
        room = {name: use.ceiling - has[name] for name, use in uses.items() if use.ceiling > has[name]}
        asked = sum(room.values())
        for name, want in room.items():
            has[name] += want if asked <= left else want * left // asked

    def _kept(self, total: int, uses: Mapping[str, MemoryUse], has: dict[str, int]) -> dict[str, int]:
        """What there is stays as it is, where that is lawful and all changes are small."""
        now = {name: use.allocated for name, use in uses.items()}
        lawful = sum(now.values()) <= total and all(u.claim.minimum <= u.allocated <= u.claim.maximum for u in uses.values())
        small = all(abs(has[name] - now[name]) <= self.inertia * total for name in has)
        return now if lawful and small else has
