"""The tables that no operation writes to, in an operation that others interrupt: they are the same after each yield as before it.

The state after a yield is an arbitrary one, with functions of its own for every table, so that laws can be assumed of it like of
the first. What no operation writes to is the same in all of them, which is said here, entry by entry, wherever one of the states is
looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from refmodel.engines.conditions import Lookup
from refmodel.engines.connectives import same
from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.symbolic_tables import entry_of
from refmodel.engines.terms import Term
from refmodel.language.design import Outline

ROUNDS = 2
"""How often the laws of one state are assumed at what those of the others look at: what they speak of there may lead farther."""


def looked_at_together(design: Outline, known: Mapping[str, Hypotheses]) -> None:
    """Let the laws of each state be assumed wherever those of another look at what no operation writes to."""
    if len(known) > 1 and design.constant:
        for _ in range(ROUNDS):
            everywhere = list(_lookups(design, known))
            for hypotheses in known.values():
                for lookup, distance in everywhere:
                    hypotheses.admit([Lookup(hypotheses.base, lookup.table, lookup.key)], [], distance)
                hypotheses.saturate()


def the_same(design: Outline, known: Mapping[str, Hypotheses]) -> dict[tuple[object, ...], Term]:
    """That the states agree on what no operation writes to, wherever one of them is looked at: by what is said to be the same."""
    if len(known) < 2 or not design.constant:
        return {}
    first, *others = known
    found: dict[tuple[object, ...], Term] = {}
    for lookup, _ in _lookups(design, known):
        kind = design.table(lookup.table)
        for other in others:
            pairs = zip(entry_of(kind, first, lookup), entry_of(kind, other, lookup), strict=True)
            for number, (one, two) in enumerate(pairs):
                found[other, lookup.table, lookup.ids, number] = same(one, two)
    return found


def _lookups(design: Outline, known: Mapping[str, Hypotheses]) -> Iterator[tuple[Lookup, int]]:
    """What is looked up in tables that no operation writes to, in any of the states, and how far from the run."""
    nearest: dict[tuple[object, ...], tuple[Lookup, int]] = {}
    for hypotheses in known.values():
        for identity, lookup in hypotheses.lookups.items():
            if lookup.table in design.constant:
                here = (lookup.table, lookup.ids)
                distance = hypotheses.distance[identity]
                if here not in nearest or distance < nearest[here][1]:
                    nearest[here] = lookup, distance
    yield from nearest.values()
