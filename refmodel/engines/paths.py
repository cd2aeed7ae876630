"""One way through an operation: the text is run on an arbitrary state, up to each point where others may run."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import attrs
import z3

from refmodel.engines.aborts import Aborted
from refmodel.engines.comparing import term_of
from refmodel.engines.conditions import Counted, Lookup
from refmodel.engines.connectives import number_of
from refmodel.engines.symbolic import Obligation, Symbolic
from refmodel.engines.terms import Term, real_term
from refmodel.language.asking import Fault, Refused
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Kind, NameKind, NaturalKind, Scalar

PATHS = 20_000
"""Paths of one operation that are followed; a text with more would never be done."""


@attrs.define(slots=False)
class Segment:
    """From one point where others may run to the next: the state before and after, and what is known."""

    before: Any
    after: Any
    conditions: tuple[Term, ...]
    outcome: Any = None
    answers: tuple[Any, ...] = ()
    written: frozenset[str] = frozenset()
    model: Any = None
    """What satisfies the conditions, where that is known."""
    owed: int = 0
    """How many of the path's obligations arose up to its end."""
    refusals: int = 0
    """How often the path might have been refused up to its end."""

    @functools.cached_property
    def ids(self) -> frozenset[int]:
        """Of the conditions."""
        return frozenset([number_of(t) for t in self.conditions])


@attrs.define
class Path:
    """One way through an operation."""

    segments: list[Segment]
    """None where the operation turns out not to apply, after something that must hold."""
    lookups: dict[tuple[Any, ...], Lookup]
    counts: dict[int, Counted]
    noted: dict[int, tuple[Scalar, Term]]
    obligations: list[Obligation]
    answers: tuple[Any, ...]
    """What the text asked, and was answered, up to where it ends."""


class Runs:
    """Runs of one operation."""

    def __init__(self, design: Outline, op: Operation) -> None:
        self.design, self.op = design, op

    def segments(self, reading: Symbolic, state: Any, arguments: list[Any]) -> Iterator[Segment]:
        """The segments of one path, which the reading decides on."""
        before = self._snapshot(state)
        if not self.op.split:
            outcome = None
            try:
                outcome = self.op.method(state, *arguments)
            except Fault as fault:
                outcome = fault
            except Refused:
                raise
            except Exception as error:
                self._aborts(reading, error)
            yield self._segment(reading, before, state, outcome)
            return
        body = self.op.method(state, *arguments)
        for number in itertools.count(1):
            try:
                next(body)
            except StopIteration as done:
                yield self._segment(reading, before, state, done.value)
                return
            except Fault as fault:
                yield self._segment(reading, before, state, fault)
                return
            except Refused:
                raise
            except Exception as error:
                self._aborts(reading, error)
                yield self._segment(reading, before, state, None)
                return
            yield self._segment(reading, before, state, None)
            for kind in self.design.tables:  # others have run: all that is known is that the laws hold
                if kind.name not in self.design.constant:
                    getattr(state, kind.name).forget(f"s{number}")
            before = self._snapshot(state)

    def _aborts(self, reading: Symbolic, error: Exception) -> None:
        """The monitor aborts on this path; unless no lawful state leads along it, EFF-3 is broken."""
        why = f"the monitor aborts: {Aborted(error)}"
        reading.obligations.append(Obligation(tuple(reading.conditions), z3.BoolVal(False), why))

    def _snapshot(self, state: Any) -> Any:
        other = self.design.blank()
        for kind in self.design.tables:
            setattr(other, kind.name, getattr(state, kind.name).frozen())
        return other

    def _segment(self, reading: Symbolic, before: Any, state: Any, outcome: Any) -> Segment:
        written = frozenset(k.name for k in self.design.tables if getattr(state, k.name).writes)
        return Segment(
            before,
            self._snapshot(state),
            tuple(reading.conditions),
            outcome,
            tuple(reading.answers),
            written,
            reading.model,
            len(reading.obligations),
            reading.refusals,
        )


def real(kind: Kind, value: Any) -> list[Term]:
    """What holds of an argument: a name is not NOTHING (those in a record may be), and a number not below zero."""
    if isinstance(kind, NameKind):
        return real_term(kind, term_of(kind, value))
    return [
        t
        for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True)
        if isinstance(leaf, NaturalKind)
        for t in real_term(leaf, term_of(leaf, v))
    ]


def base_of(design: Outline, state: Any) -> str:
    """Which arbitrary state a state was made from."""
    changing = [table.name for table in design.tables if table.name not in design.constant]
    base: str = getattr(state, (changing or [design.tables[0].name])[0]).base
    return base
