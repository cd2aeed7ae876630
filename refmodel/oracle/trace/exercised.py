"""What traces exercised: the kinds of events that were reported, and the clauses that those can break. A verdict says nothing of a
clause that no reported event can break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import attrs

from refmodel.oracle.trace.table import ROWS


@attrs.frozen
class Exercised:
    """The events and clauses that some traces exercised together."""

    events: dict[str, int]
    """How many events of each kind were reported, the most frequent first."""
    events_never: tuple[str, ...]
    """The kinds that were never reported."""
    clauses: tuple[str, ...]
    """The clauses that a reported event can break."""
    clauses_never: tuple[str, ...]
    """The clauses that none of the reported events can break."""

    def lines(self) -> list[str]:
        """A line for each list."""
        return [
            "events reported: " + (", ".join(f"{kind} {number:,}" for kind, number in self.events.items()) or "none"),
            "events never reported: " + (", ".join(self.events_never) or "none"),
            "clauses that a reported event can break: " + (", ".join(self.clauses) or "none"),
            "clauses that no reported event can break: " + (", ".join(self.clauses_never) or "none"),
            "a clause that is in neither list is about designs alone: no trace can break it",
        ]


def exercised(met: Iterable[Mapping[str, int]]) -> Exercised:
    """What was exercised, from how many events of each kind every trace has."""
    total = Counter[str]()
    for each in met:
        total.update(each)
    every = {clause for row in ROWS for clause in row.clauses.split()}
    can = {clause for row in ROWS if total[row.kind] for clause in row.clauses.split()}
    return Exercised(
        dict(total.most_common()),
        tuple(row.kind for row in ROWS if not total[row.kind]),
        tuple(sorted(can)),
        tuple(sorted(every - can)),
    )
