"""A recorded run, run again on ints and told step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from refmodel.engines.differences import changes
from refmodel.engines.machine import Entry, Machine, Run, Told, recorded
from refmodel.engines.progress_runs import Watched
from refmodel.language.design import Outline
from refmodel.language.sizes import Geometry
from refmodel.language.tables import Total


class _Noting(Total[Any, Any]):
    """A table that notes what is looked at in it before it is written to."""

    __slots__ = ("looked", "written")

    def __init__(self, table: Total[Any, Any]) -> None:
        super().__init__(table)
        self.default, self.changed = table.default, table.changed
        self.looked: dict[Any, Any] = {}
        self.written: set[Any] = set()

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        if key not in self.written:
            self.looked[key] = value
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.written.add(key)

    def twin(self) -> Total[Any, Any]:
        other = Total(self)
        other.default, other.changed = self.default, False
        return other


def looked_at_first(design: Outline, geometry: Geometry, run: Run) -> tuple[Entry, ...]:
    """What the operations of a run look at of tables whose contents nobody knows at power-on, before they write to it: where it is
    not at its default, nor given by the geometry."""
    if not design.arbitrary:
        return ()
    machine = Machine(design, geometry)
    machine.power_on(recorded(run.initial))
    noting = {name: _Noting(getattr(machine.state, name)) for name in design.arbitrary}
    for name, table in noting.items():
        setattr(machine.state, name, table)
    for step in run.steps:
        machine.step(step)
        machine.settle()
    return tuple(
        (name, key, value)
        for name, table in noting.items()
        for key, value in table.looked.items()
        if value != table.default and key not in geometry.given.get(name, {})
    )


def replay(design: Outline, geometry: Geometry, run: Run) -> Iterator[Told]:
    """Run it again, telling each step, up to the first that breaks a law. If none does, the last step tells what is pending then
    and does not end, as the run shows."""
    machine = Machine(design, geometry)
    machine.power_on(recorded(run.initial))
    watched = Watched(design, geometry, machine.state) if design.pending else None
    for number, step in enumerate(run.steps, 1):
        outcome = machine.step(step)
        asked = tuple(machine.last_questions)
        broken = machine.broken_by(step, outcome)
        changed = tuple(changes(design, machine.before, machine.state))
        found = looked_at_first(design, geometry, run) if number == 1 else ()
        told = Told(step, outcome, changed, broken, asked, machine.begun(step), found)
        if watched is not None and broken is None:
            watched.step(step, machine.before, machine.state, asked)
        machine.settle()
        if watched is not None and broken is None and number == len(run.steps) and not machine.pending:
            told = attrs.evolve(told, broken=watched.shows(machine.state))
        yield told
        if told.broken is not None:
            return
