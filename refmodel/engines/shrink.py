"""Shorter runs that still break a law: leave steps out as long as that can be done."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from refmodel.engines.machine import Failure, Machine, Run, Step, recorded
from refmodel.language.design import Outline
from refmodel.language.kinds import Geometry


def shortened(design: Outline, geometry: Geometry, failure: Failure) -> Failure:
    """A run from which no step, and no two steps, can be left out. It may come to break another law."""
    best = failure
    again = True
    while again:
        again = False
        size = len(best.run.steps)
        for count in (1, 2):
            for left_out in itertools.combinations(range(size), count):
                steps = [s for i, s in enumerate(best.run.steps) if i not in left_out]
                found = _try(design, geometry, best.run, steps)
                if found is not None and len(found.run.steps) < size:
                    best, again = found, True
                    break
            if again:
                break
    return best


def _try(design: Outline, geometry: Geometry, run: Run, steps: Sequence[Step]) -> Failure | None:
    """These steps, as far as they apply, up to the first broken law."""
    machine = Machine(design, geometry)
    machine.power_on(recorded(run.initial))
    instances = {(op.name, arguments): op for op, arguments in machine.instances()}
    taken_steps: list[Step] = []
    for step in steps:
        op = instances[step.operation, step.arguments]
        taken = machine.attempt(op, step.arguments, recorded(step.answers))
        if taken is None:
            continue
        taken_steps.append(taken[0])
        broken = machine.broken(op, step.arguments, taken[1])
        if broken is not None:
            return Failure(Run(machine.initial_answers, tuple(taken_steps)), broken)
        machine.settle()
    return None
