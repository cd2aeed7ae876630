"""What may come of an access, and whether what was observed is among it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Marked, WalkMemory, flags_of
from refmodel.machine.x86.guest_walk import walk, walk_marking_late
from refmodel.machine.x86.nested_walk import GuestWalk
from refmodel.oracle.judging import Finding


@attrs.frozen
class Outcome:
    """How an access ended, as far as it can be seen."""

    kind: str
    """``completed``, ``#PF``, ``#GP``, ``EPT violation``, ``EPT misconfiguration``, ``#NPF``, or what else came of it."""
    code: int = 0
    """The error code, the exit qualification, or EXITINFO1."""
    address: int = 0
    """The physical address where it completed; CR2; or the guest-physical address of an exit."""
    linear: int = 0
    """The guest-linear address that an exit reports."""


@attrs.frozen
class Lawful:
    """One way in which an access may end, and what it may do to the tables."""

    outcome: Outcome
    must: Mapping[int, int]
    """Flags that must be set afterwards, by the address of the entry."""
    may: Mapping[int, int]
    """Flags that may be set besides."""


@attrs.frozen
class Observed:
    """What an implementation did, and the entries afterwards."""

    outcome: Outcome
    entries: Mapping[int, int] = attrs.field(factory=dict)


def lawful(
    access: Callable[[WalkMemory, GuestWalk], Any], entries: Mapping[int, int], end: Callable[[Any], Outcome]
) -> list[Lawful]:
    """The ways in which an access may end over memory that holds these entries.

    ``access`` makes it, given the memory and which of the two guest walks to use, the one that sets flags as it goes or the one
    that sets them at the end; ``end`` tells what it came to. Flags of an access that completes must be set; those of one that
    does not may be.
    """
    ways = [_one_way(access, entries, end, guest_walk) for guest_walk in (walk, walk_marking_late)]
    may = {a: ways[0].may.get(a, 0) | ways[1].may.get(a, 0) for a in {*ways[0].may, *ways[1].may}}
    if ways[0].outcome == ways[1].outcome:
        del ways[1:]
    return [attrs.evolve(way, may=may) for way in ways]


def _one_way(
    access: Callable[[WalkMemory, GuestWalk], Any], entries: Mapping[int, int], end: Callable[[Any], Outcome], guest_walk: GuestWalk
) -> Lawful:
    memory = Marked(entries)
    try:
        result = access(memory, guest_walk)
    except Fault as fault:
        return Lawful(end(fault), {}, flags_of(memory.marks))
    return Lawful(end(result), flags_of(memory.marks), {})


def wrong_flags(way: Lawful, before: Mapping[int, int], after: Mapping[int, int]) -> tuple[int, int, int] | None:
    """The first entry that is not as it must be: its address, the wrong bits, and what it should be; None if there is none."""
    for address, entry in before.items():
        due = entry | way.must.get(address, 0)
        wrong = (after[address] ^ due) & ~way.may.get(address, 0)
        if wrong:
            return address, wrong, due
    return None


Titled = Callable[[Outcome, Outcome], Finding]
Flagged = Callable[[Lawful, int, int, int], Finding]


def judged(
    ways: list[Lawful], before: Mapping[int, int], observed: Observed, outcome_finding: Titled, flags_finding: Flagged
) -> Finding | None:
    """None if what was observed is lawful in one of the ways; else what is wrong, by the words given."""
    wrong = None
    for way in ways:
        if way.outcome != observed.outcome:
            continue
        wrong = wrong_flags(way, before, observed.entries)
        if wrong is None:
            return None
        address, bits, due = wrong
        finding = flags_finding(way, address, bits, due)
    if wrong is not None:
        return finding
    nearest = next((w for w in ways if w.outcome.kind == observed.outcome.kind), ways[0])
    return outcome_finding(nearest.outcome, observed.outcome)
