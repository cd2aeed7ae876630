"""How hard to reclaim, by how much is free: ESX's four states (Waldspurger, OSDI 2002, section 6.3).

Thresholds are a part of all memory: 6, 4, 2 and 1 per cent. In *high* there is enough; in *soft* the monitor asks, by balloons, and
pages only where that is not possible; in *hard* it pages; in *low* it pages and stops those VMs that are above their targets. A
state is left upwards only when the threshold above it is passed by some margin, so that it does not change to and fro.
"""

from __future__ import annotations

import enum

MARGIN = 0.005
"""Of all memory, that must be free above a threshold before a state is left for a better one."""


class Reclamation(enum.Enum):
    HIGH = "high"
    SOFT = "soft"
    HARD = "hard"
    LOW = "low"


THRESHOLDS = {Reclamation.HIGH: 0.06, Reclamation.SOFT: 0.04, Reclamation.HARD: 0.02, Reclamation.LOW: 0.0}
"""The least part that is free in each state. (Below 1 per cent ESX is in low in any case.)"""
ORDER = list(Reclamation)


def next_state(now: Reclamation, free: float) -> Reclamation:
    """The state, given the part of memory that is free."""
    plain = next(state for state in ORDER if free >= THRESHOLDS[state])
    if ORDER.index(plain) >= ORDER.index(now):
        return plain
    return next(state for state in ORDER[ORDER.index(plain) :] if free >= THRESHOLDS[state] + MARGIN or state is now)
