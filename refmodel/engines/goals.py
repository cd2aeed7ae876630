"""What must hold after each segment of a path: every law, at arbitrary names.

Paths that leave the tables alike that a law speaks of owe the same of that law, and so do steps that show the same as well. Such
a goal is worked out once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from refmodel.engines.conditions import Counted, Lookup
from refmodel.engines.connectives import number_of
from refmodel.engines.formulas import Formula, claimed
from refmodel.engines.paths import Path, Segment, base_of
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.terms import ANY, Term, constant, sort_name
from refmodel.language.annotations import kind_of
from refmodel.language.asking import answering
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Scalar
from refmodel.language.laws import Law
from refmodel.language.opaque import Opaque, asking

Goal = tuple[Law, Segment, Term | None]
"""What must hold after a segment; None where the segment wrote nothing that the law speaks of."""


@attrs.frozen(eq=False)
class _Owed:
    """A law after some writes, and what was noted on the way; with what it was given, so that its terms keep their ids."""

    goal: Term
    lookups: tuple[Lookup, ...]
    counts: tuple[Counted, ...]
    noted: tuple[tuple[Scalar, Term], ...]
    given: tuple[Any, ...]


class Goals:
    """What the paths of one operation owe."""

    def __init__(self, design: Outline, op: Operation, formulas: Callable[[str], Sequence[Formula]]) -> None:
        self.design, self.op = design, op
        self._formulas = formulas
        self._of_law: dict[str, dict[Law, Formula]] = {}
        self._owed: dict[tuple[Any, ...], _Owed] = {}

    def after(self, path: Path, laws: Sequence[Law], arguments: Sequence[Any], reading: Symbolic) -> Iterator[Goal]:
        """What must hold after each segment, at arbitrary names; None where the segment wrote nothing it speaks of."""
        for segment in path.segments:
            last = segment is path.segments[-1]
            for s in (segment.before, segment.after):
                for kind in self.design.tables:
                    getattr(s, kind.name).reading = reading
            returned = type(segment.outcome) if segment.outcome is not None else None
            outcome = asking(reading, segment.outcome)  # what laws ask of it is a matter of their own, not of the path's
            given = self.op.about(segment.before, outcome, [asking(reading, a) for a in arguments])
            for law in laws:
                if law.of_state:
                    yield law, segment, self._of_state(law, segment, reading)
                elif law.applies_to(returned) and (last or law.outcome is None):
                    yield law, segment, self._of_step(law, segment, reading, given)

    def _of_state(self, law: Law, segment: Segment, reading: Symbolic) -> Term | None:
        """A law of states after a segment."""
        base = base_of(self.design, segment.before)
        if base not in self._of_law:
            self._of_law[base] = {f.law: f for f in self._formulas(base)}
        tables = self._of_law[base][law].tables
        if not segment.written.intersection(tables):
            return None
        return self._once(law, segment, reading, tables, {})

    def _of_step(self, law: Law, segment: Segment, reading: Symbolic, given: dict[str, Any]) -> Term:
        """A law of a step, after a segment."""
        return self._once(law, segment, reading, sorted(self.design.reads(law)), given)

    def _once(self, law: Law, segment: Segment, reading: Symbolic, tables: Sequence[str], given: dict[str, Any]) -> Term:
        """What is owed of a law that reads these tables, worked out or remembered. The reading notes what it looks at."""
        writes = [(name, write) for name in tables for write in getattr(segment.after, name).writes]
        returned, shown = (type(given["outcome"]), _terms(given["outcome"])) if "outcome" in law.about else (None, ())
        identity = (
            law.name,
            base_of(self.design, segment.before),
            returned,
            *map(number_of, shown),
            *((name, write.identity) for name, write in writes),
        )
        if identity not in self._owed:
            self._owed[identity] = _worked_out(law, segment, reading, given, (*(write for _, write in writes), *shown))
        owed = self._owed[identity]
        for lookup in owed.lookups:
            reading.note(lookup)
        for counted in owed.counts:
            reading.note_count(counted)
        for kind, term in owed.noted:
            reading.note_term(kind, term)
        return owed.goal


def _terms(outcome: Any) -> tuple[Term, ...]:
    """The terms of what a step shows: two steps with the same ones, and an outcome that a law is about, show the same."""
    if not attrs.has(type(outcome)):
        return ()
    kind = kind_of(type(outcome))
    return tuple(
        value.term if isinstance(value, Opaque) else constant(leaf, value)
        for (_, leaf), value in zip(kind.leaves(), kind.flatten(outcome), strict=True)
    )


def _worked_out(law: Law, segment: Segment, reading: Symbolic, given: dict[str, Any], keep: tuple[Any, ...]) -> _Owed:
    outer = reading.lookups, reading.counts, reading.noted
    reading.lookups, reading.counts, reading.noted = {}, {}, {}
    try:
        with answering(reading):
            goal = claimed(reading, law.function, segment.after, *law.arguments(given, arbitrary_names(law, reading)))
        return _Owed(goal, tuple(reading.lookups.values()), tuple(reading.counts.values()), tuple(reading.noted.values()), keep)
    finally:
        reading.lookups, reading.counts, reading.noted = outer


def arbitrary_names(law: Law, reading: Symbolic) -> list[Any]:
    """The same arbitrary names for every law, so that laws share an index set."""
    used: dict[str, int] = {}
    names = []
    for _, kind in law.names:
        sort = sort_name(kind)
        used[sort] = used.get(sort, 0) + 1
        names.append(reading.arbitrary(kind, f"{ANY}{sort}.{used[sort]}"))
    return names
