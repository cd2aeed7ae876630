"""A run that a person takes step by step: which steps there are, what each would change, and how near a law is to breaking.

Going back takes the run again from power-on, without its last step: an operation that others interrupt cannot be taken back.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from refmodel.engines.differences import Change, changes
from refmodel.engines.machine import RESUME, Begun, Broken, Machine, Run, Step, Told
from refmodel.engines.samples import Tables, entries_of, in_state
from refmodel.engines.stepwise import every_answer, reached
from refmodel.language.asking import Premises, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.laws import Law
from refmodel.language.sizes import Geometry

AHEAD = 20_000
"""Steps that are tried to see how near a law is to breaking."""

ANSWERS = 16
"""Of the ways to answer what one step asks, those that are offered."""


@attrs.frozen
class Offer:
    """A step that applies, and what would come of it."""

    step: Step
    asked: tuple[str, ...]
    """What the step asks, and the answers that it would be given, in words."""
    outcome: Any
    changes: tuple[Change, ...]
    broken: Broken | None
    """The law that the step would break."""
    begun: Begun | None
    """Where a split operation began that would go on."""


@attrs.frozen
class LawNow:
    """A law of states in the state that a run has come to."""

    law: Law
    met: int
    """For how many names its premise holds, so that it claims something."""
    claimed: int
    """For how many names it is claimed."""
    holds: bool


@attrs.frozen
class Near:
    """How soon a law can break from here."""

    steps: dict[str, int]
    """By clause: the fewest steps after which a law of that clause is broken. A clause that is not named was not broken."""
    depth: int
    """Every run of so many steps was tried."""
    every_state: bool
    """Whether every state that can be reached from here was tried."""


class Stepping:
    """A design, and a run of it so far."""

    def __init__(self, design: Outline, geometry: Geometry, run: Run | None = None) -> None:
        """``run`` is taken first; without it, memory holds zeroes at power-on, or the first contents that there are. Raises
        ``BadDesign`` if the run does not apply."""
        self.design, self.geometry = design, geometry
        self.told: list[Told] = []
        taken = run or Run((), ())
        self.machine = reached(design, geometry, Run(taken.initial, ()))
        for step in taken.steps:
            self.take(step)

    @property
    def run(self) -> Run:
        """The run so far."""
        return Run(self.machine.initial_answers, tuple(told.step for told in self.told))

    @property
    def broken(self) -> Broken | None:
        """The law that the last step broke, if it broke one."""
        return self.told[-1].broken if self.told else None

    def take(self, step: Step) -> Told:
        """Take a step. ``BadDesign`` if it does not apply."""
        outcome = self.machine.step(step)
        op = self.machine.operation_of(step)
        told = Told(
            step,
            outcome,
            tuple(changes(self.design, self.machine.before, self.machine.state)),
            self.machine.broken(op, step.arguments, outcome),
            tuple(self.machine.last_questions),
            self.machine.begun(step),
        )
        self.machine.settle()
        self.told.append(told)
        return told

    def back(self) -> None:
        """Take the last step back, if there is one."""
        self.told = self.told[:-1]
        self.machine = reached(self.design, self.geometry, self.run)

    def entries(self) -> dict[str, dict[Any, Any]]:
        """By table, the entries that are not as they are by default."""
        return {
            kind.name: {
                key: value
                for key, value in getattr(self.machine.state, kind.name).items()
                if kind.partial or value != kind.value.default()
            }
            for kind in self.design.tables
        }

    # ------------------------------------------------------------ what may come next

    def offers(self) -> list[Offer]:
        """Every step that applies now, in the order of the design's text. No step is offered after one that breaks a law."""
        if self.broken is not None:
            return []
        return list(_offers(self.machine, lambda: reached(self.design, self.geometry, self.run)))

    def laws(self) -> list[LawNow]:
        """Every law about states, as it stands now."""
        found = []
        with answering(self.machine):
            for law in self.design.laws:
                if law.of_state:
                    found.append(self._law(law))
        return found

    def _law(self, law: Law) -> LawNow:
        names = self.machine.names_of(law)
        met, holds = 0, True
        for values in names:
            Premises.begin(left_out=self.design.looked_at(law))
            try:
                holds = bool(law.function(self.machine.state, *values)) and holds
            except Exception:  # what it computes is no value of the language, or a key is missing
                holds = False
            met += Premises.met
        return LawNow(law, met, len(names), holds)

    def near(self, ahead: int = AHEAD) -> Near:
        """How soon laws can break, over all runs from here that ``ahead`` steps suffice for, the shortest first. In a design with
        split operations only the next step is looked at."""
        if self.broken is not None:
            return Near({self.broken.clause: 0}, 0, False)
        if any(op.split for op in self.design.operations):
            return Near({o.broken.clause: 1 for o in self.offers() if o.broken is not None}, 1, False)
        start = entries_of(self.design, self.machine.state)
        seen, todo, tried = {identity(self.design, start)}, deque([(start, 0)]), 0
        steps: dict[str, int] = {}
        depth = 0
        while todo and tried < ahead:
            tables, depth = todo.popleft()
            machine = in_state(self.design, self.geometry, tables)
            for op, arguments in machine.instances():
                tried += 1
                for offer in _answered(machine, op, arguments):
                    after = entries_of(self.design, machine.state)
                    machine.undo()
                    if offer.broken is not None:
                        steps.setdefault(offer.broken.clause, depth + 1)
                    elif (known := identity(self.design, after)) not in seen:
                        seen.add(known)
                        todo.append((after, depth + 1))
        return Near(steps, todo[0][1] if todo else depth + 1, not todo)


def _offers(machine: Machine, resumed: Callable[[], Machine]) -> Iterator[Offer]:
    """``resumed`` gives the same state in a machine of its own, for a split operation to go on in."""
    for op, arguments in machine.instances():
        if op.name == RESUME:
            if arguments[0] < len(machine.pending):
                yield from _answered(resumed(), op, arguments)
            continue
        under_way = len(machine.pending)
        for offer in _answered(machine, op, arguments):
            yield offer
            machine.undo()
            for each in machine.pending[under_way:]:
                each.body.close()
            del machine.pending[under_way:]


def _answered(machine: Machine, op: Operation, arguments: tuple[Any, ...]) -> Iterator[Offer]:
    """An operation with every answer to what it asks, as far as it applies. The caller takes back what each has changed. An
    operation that goes on is given the first answers only."""
    every = every_answer(lambda pick: machine.attempt(op, arguments, pick))
    for taken in itertools.islice(every, 1 if op.name == RESUME else ANSWERS):
        if taken is not None:
            step, outcome = taken
            asked = tuple(machine.last_questions)
            broken = machine.broken(op, arguments, outcome)
            made = tuple(changes(machine.design, machine.before, machine.state))
            yield Offer(step, asked, outcome, made, broken, machine.begun(step))


def identity(design: Outline, tables: Tables) -> frozenset[Any]:
    """What two states have in common that are the same: every entry that is not as it is by default."""
    plain = {kind.name: None if kind.partial else kind.value.default() for kind in design.tables}
    return frozenset(
        (name, key, value) for name, entries in tables.items() for key, value in entries.items() if value != plain[name]
    )
