"""What a policy knows of a VM, and what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from refmodel.language import BadDesign


@attrs.frozen
class Claim:
    """What a VM's owner was promised, in pages (Waldspurger, OSDI 2002, section 5.2)."""

    minimum: int
    maximum: int
    shares: int = 1000
    """Its weight beside others', of no unit."""


@attrs.frozen
class MemoryUse:
    """What a VM has and does, in pages."""

    claim: Claim
    allocated: int
    wanted: int
    """What it would touch if it had it: it needs no more."""
    active: float = 1.0
    """The part of its pages that are in use, as far as anybody can tell."""
    committed: int | None = None
    """What the guest's kernel has promised its programs, without pages of files, if the guest reports it."""
    stalled: float = 0.0
    """The part of the last period in which it waited for memory."""
    curve: tuple[tuple[int, float], ...] = ()
    """Misses in a period that it would have with so many pages, by size; sizes ascend. Empty where nobody estimates them."""

    @property
    def ceiling(self) -> int:
        """What it may have, and can use."""
        return max(self.claim.minimum, min(self.claim.maximum, self.wanted))


class Policy(Protocol):
    """Decides how many pages each VM is to have."""

    def targets(self, total: int, uses: Mapping[str, MemoryUse]) -> dict[str, int]:
        """By VM: its target, from its minimum to its maximum, together no more than ``total``."""


def admitted(total: int, claims: Mapping[str, Claim]) -> None:
    """Admission control: ``BadDesign`` if the minimums cannot all be kept, or a maximum is below its minimum."""
    for name, claim in claims.items():
        if not 0 <= claim.minimum <= claim.maximum:
            raise BadDesign(f"{name}: minimum {claim.minimum} and maximum {claim.maximum}; expected 0 <= minimum <= maximum")
        if claim.shares <= 0:
            raise BadDesign(f"{name}: shares {claim.shares}; expected more than 0")
    if sum(claim.minimum for claim in claims.values()) > total:
        raise BadDesign(f"the minimums are {sum(c.minimum for c in claims.values()):,} pages together, and there are {total:,}")
