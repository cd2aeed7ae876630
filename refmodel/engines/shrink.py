"""Shorter runs that still break a law: steps are left out, and where that does not do, one is left out and another exchanged."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from refmodel.engines.machine import RESUME, Failure, Machine, Pick, Run, Step, copy_of, recorded
from refmodel.language.design import Operation, Outline
from refmodel.language.sizes import Geometry

SHORT = 8
"""Up to this length exchanging steps is tried: there are as many candidates as pairs of steps times steps there are."""
MOST_JUDGED = 10_000_000
"""How often laws are judged for some names until the run is short enough: some ten seconds."""


def shortened(
    design: Outline, geometry: Geometry, failure: Failure, machine: Callable[[Outline, Geometry], Machine] = Machine
) -> Failure:
    """A run that none of these changes makes shorter. It may come to break another law. ``machine`` makes what runs and judges."""
    shrinker = _Shrinker(design, geometry, machine(design, geometry))
    best = failure
    while (shorter := shrinker.shorter(best)) is not None:
        best = shorter
    return best


class _Shrinker:
    def __init__(self, design: Outline, geometry: Geometry, machine: Machine) -> None:
        self.design, self.geometry, self.machine = design, geometry, machine
        self.instances = {(op.name, arguments): op for op, arguments in self.machine.instances()}
        self.at_once = not any(op.split for op in design.operations)
        """Whether no operation waits."""

    def shorter(self, failure: Failure) -> Failure | None:
        """The first shorter run that still breaks a law."""
        size, states = len(failure.run.steps), self._states(failure.run)
        for steps in self._candidates(failure.run.steps):
            if self.machine.judged > MOST_JUDGED:
                return None
            found = self._try(failure.run, steps, states)
            if found is not None and len(found.run.steps) < size:
                return found
        return None

    def _candidates(self, steps: Sequence[Step]) -> Iterator[list[Step]]:
        size = len(steps)
        width = size // 2
        while width > 2:  # many at once first: a run from a random search is long
            for at in range(0, size, width):
                yield [*steps[:at], *steps[at + width :]]
            width //= 2
        for count in (1, 2):
            for left_out in itertools.combinations(range(size), count):
                yield [s for i, s in enumerate(steps) if i not in left_out]
        if size > SHORT:
            return
        for out, at in itertools.permutations(range(size), 2):
            for name, arguments in self.instances:
                yield [Step(name, arguments) if i == at else s for i, s in enumerate(steps) if i != out]

    def _states(self, run: Run) -> list[Any]:
        """The states that a run goes through, from power-on to the one before its last step: what keeps its first steps begins
        there. Only power-on where operations wait: that they do is in no state."""
        self._power_on(run)
        states = [copy_of(self.design, self.machine.state)]
        for step in run.steps[:-1] if self.at_once else ():
            if self._taken(step) is None:
                break
            self.machine.settle()
            states.append(copy_of(self.design, self.machine.state))
        return states

    def _power_on(self, run: Run) -> None:
        self.machine.begin(self.design.initial(self.geometry))
        self.machine.power_on(recorded(run.initial))

    def _try(self, run: Run, steps: Sequence[Step], states: Sequence[Any]) -> Failure | None:
        """These steps, as far as they apply, up to the first broken law. Where an exchanged step does not apply, what is left was
        tried before."""
        machine = self.machine
        same = (ours is theirs for ours, theirs in zip(steps, run.steps, strict=False))
        kept = min(sum(itertools.takewhile(bool, same)), len(states) - 1)
        if self.at_once:
            machine.begin(copy_of(self.design, states[kept]))
        else:
            self._power_on(run)
        own = set(map(id, run.steps))
        taken_steps = list(steps[:kept])
        for step in steps[kept:]:
            found = self._taken(step)
            if found is None and id(step) not in own:
                return None
            if found is None:
                continue
            op, taken = found
            taken_steps.append(taken[0])
            broken = machine.broken(op, taken[0].arguments, taken[1])
            if broken is not None:
                return Failure(Run(run.initial, tuple(taken_steps)), broken)
            machine.settle()
        return None

    def _taken(self, step: Step) -> tuple[Operation, tuple[Step, Any]] | None:
        """The step, if it applies; of one by which an operation goes on, perhaps as another number: an earlier one was left out."""
        own = step.operation, step.arguments
        others = [each for each in self.instances if each[0] == RESUME and each != own] if step.operation == RESUME else []
        for each in [own, *others]:
            op = self.instances[each]
            taken = self.machine.attempt(op, each[1], nearly(step.answers))
            if taken is not None:
                return op, taken
        return None


def nearly(answers: Sequence[Any]) -> Pick:
    """Answer as was answered before, where that can still be; another frame may be free now than was then."""
    remaining = iter(answers)

    def pick(options: Sequence[Any]) -> Any:
        answer = next(remaining, options[0])
        return answer if answer in options else options[0]

    return pick
