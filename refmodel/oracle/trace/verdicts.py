"""What judging a trace comes to."""

from __future__ import annotations

import attrs


@attrs.frozen
class Deviation:
    """The first event that no lawful run explains."""

    line: int
    event: str
    """The line itself."""
    at: str | None
    """Where in the implementation's source, if it said so."""
    clause: str
    law: str
    sentence: str
    why: str
    expected: tuple[str, ...]
    """What would have been lawful."""
    before: tuple[str, ...] = ()
    """The lines just before."""
    names: tuple[tuple[str, int], ...] = ()
    """The names for which the law is broken."""


MOST_TOLD = 20
"""Notes that are printed."""


@attrs.frozen
class TraceVerdict:
    """What judging one trace came to."""

    name: str
    events: int
    """Events that were read."""
    seconds: float
    deviation: Deviation | None
    notes: tuple[str, ...]
    judged: int
    """Events that something was held against. A verdict on none is undecided."""
    counted: dict[str, int] = attrs.field(factory=dict)
    """What else was counted: gaps, and what could be judged and what not."""
    met: dict[str, int] = attrs.field(factory=dict)
    """How many events of each kind were read, by the kinds' names in the format (``load``)."""

    @property
    def told(self) -> tuple[str, ...]:
        """The first notes, and how many more there are."""
        more = len(self.notes) - MOST_TOLD
        return self.notes if more <= 0 else (*self.notes[:MOST_TOLD], f"and {more:,} more notes; --json has all of them")
