"""What judging a trace comes to."""

from __future__ import annotations

import attrs


@attrs.frozen
class Deviation:
    """The first event of a trace that no correct run could produce, and what it breaks."""

    line: int
    """Its line in the trace, from 1 on."""
    event: str
    """The line itself."""
    at: str | None
    """Where in the implementation's source, if it said so."""
    clause: str
    """The clause that is broken, such as ``ISO-2`` (specs/properties.md)."""
    law: str
    """The law of that clause, by its name."""
    sentence: str
    """What the law claims."""
    why: str
    """What was wrong with this event, with the addresses and values of the trace."""
    expected: tuple[str, ...]
    """What would have been lawful, a line each."""
    before: tuple[str, ...] = ()
    """The lines just before."""
    names: tuple[tuple[str, int], ...] = ()
    """The names for which the law is broken."""
    told: tuple[str, ...] = ()
    """What earlier events told of the page and the frames that the law is broken for, a line each."""

    def __str__(self) -> str:
        where = f" ({self.why})" if self.why else ""
        instead = f"; lawful instead: {'; or '.join(self.expected)}" if self.expected else ""
        return f"line {self.line} breaks {self.clause}: {self.sentence}{where}{instead}"


UNHELD = "accesses by linear address that may have ended in any way"
"""What is counted: accesses of which what is known decides nothing."""
WHY_UNHELD = "an entry of the page tables, a register, or what the CPU has cached is not known"


def note_of_unheld(unheld: int, accesses: int) -> str:
    """How many accesses by linear address were not judged, and why."""
    return f"{unheld:,} of {accesses:,} accesses by linear address were not judged: {WHY_UNHELD}"


MOST_TOLD = 20
"""Notes that are printed."""


@attrs.frozen
class TraceVerdict:
    """The result of judging one trace. The trace is lawful if there is no deviation and ``judged`` is not zero."""

    name: str
    """The file that was judged, or what else the trace is called."""
    events: int
    """Events that were read."""
    seconds: float
    """How long judging took."""
    deviation: Deviation | None
    """The first event that no correct run could produce; None if there is none."""
    notes: tuple[str, ...]
    """What was left out or assumed, a sentence each: events that were lost, walks that could not be judged."""
    judged: int
    """Events that something was held against. A verdict on none is undecided."""
    counted: dict[str, int] = attrs.field(factory=dict)
    """What else was counted: gaps, and what could be judged and what not."""
    met: dict[str, int] = attrs.field(factory=dict)
    """How many events of each kind were read, by the kinds' names in the format (``load``)."""

    def __str__(self) -> str:
        if self.deviation is not None:
            return f"{self.name}: {self.deviation}"
        return f"{self.name}: {'lawful' if self.judged else 'undecided: no event was judged'}"

    @property
    def told(self) -> tuple[str, ...]:
        """The first notes, and how many more there are."""
        more = len(self.notes) - MOST_TOLD
        return self.notes if more <= 0 else (*self.notes[:MOST_TOLD], f"and {more:,} more notes; --json has all of them")
