"""A recorded run, run again on ints and told step by step."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from refmodel.engines.differences import changes
from refmodel.engines.machine import Machine, Run, Told, recorded
from refmodel.engines.progress_runs import Watched
from refmodel.language.design import Outline
from refmodel.language.sizes import Geometry


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
        told = Told(step, outcome, tuple(changes(design, machine.before, machine.state)), broken, asked, machine.begun(step))
        if watched is not None and broken is None:
            watched.step(step, machine.before, machine.state, asked)
        machine.settle()
        if watched is not None and broken is None and number == len(run.steps) and not machine.pending:
            told = attrs.evolve(told, broken=watched.shows(machine.state))
        yield told
        if told.broken is not None:
            return
