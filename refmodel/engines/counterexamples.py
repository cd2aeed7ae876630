"""Counterexamples to induction as they are shown: minimal, with the entries that matter, one for each refuted obligation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from refmodel.engines.differences import Change, changes
from refmodel.engines.looked_at import looked_at
from refmodel.engines.machine import Machine
from refmodel.engines.minimal import minimal
from refmodel.engines.parts import Tables, take
from refmodel.engines.prover import Judgement
from refmodel.engines.scope import Witness
from refmodel.language.design import Outline


@attrs.frozen
class Counterexample:
    """A lawful state, and a step from it that breaks a law."""

    operation: str
    witness: Witness
    entries: tuple[tuple[str, Any, Any], ...]
    """Table, key and value of each entry that the step or the law reads, and that is not at its default."""
    others: int
    """How many more entries differ from their defaults: without them the state is not lawful."""
    asked: tuple[str, ...] = ()
    """What the step asks and is answered, in words."""
    changes: tuple[Change, ...] = ()
    """What the step changes; nothing is said of a text that goes wrong on the way."""
    earlier: tuple[tuple[tuple[str, Any, Any], ...], ...] = ()
    """For an operation that others interrupt: what differs from the defaults where it began, and where it went on before."""

    def of_others(self) -> str:
        """What is said of the entries that are not shown."""
        if not self.others:
            return ""
        return (
            "1 other entry makes the state lawful; neither the step nor the law reads it"
            if self.others == 1
            else f"{self.others} other entries make the state lawful; neither the step nor the law reads them"
        )


def counterexample(design: Outline, operation: str, witness: Witness) -> Counterexample:
    """A witness of the prover's, made minimal."""
    small = minimal(design, witness)
    read = looked_at(design, small)
    differing = list(_differing(design, small.tables))
    shown = tuple(each for each in differing if each[:2] in read)
    machine, step = Machine(design, small.geometry), small.step
    take(machine, design.operation(step.operation), step.arguments, step.answers, (*small.earlier, small.tables))
    made = () if small.broken.law is None else tuple(changes(design, machine.before, machine.state))
    return Counterexample(
        operation,
        small,
        shown,
        len(differing) - len(shown),
        tuple(machine.last_questions),
        made,
        tuple(tuple(_differing(design, tables)) for tables in small.earlier),
    )


def _differing(design: Outline, tables: Tables) -> Iterator[tuple[str, Any, Any]]:
    """The entries that are not as they are at first."""
    for kind in design.tables:
        for key, value in tables[kind.name].items():
            if kind.partial or value != kind.value.default():
                yield kind.name, key, value


def counterexamples(design: Outline, judgements: Iterable[Judgement]) -> tuple[Counterexample, ...]:
    """One for each obligation that has one."""
    return tuple(counterexample(design, j.operation, j.witness) for j in judgements if j.witness is not None)
