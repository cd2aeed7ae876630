"""Simulation on ints: random runs of one design, each step of which is looked for in another.

``simulation`` proves the same of every run. Here a step that is none of the other design's has a run that leads to it, as short as
shrinking makes it, which is told like any other.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import attrs

from refmodel.engines.aborts import Aborted
from refmodel.engines.computed import computed, fill
from refmodel.engines.corresponding import (
    asked_for,
    explaining,
    given_for,
    has_to_be_a_step,
    replies,
    shared,
    shows_all_of,
)
from refmodel.engines.differences import Change, changes
from refmodel.engines.machine import RESUME, Broken, Failure, Machine, Run, UnderWay, copy_of, recorded
from refmodel.engines.outcomes import shown_by, shows
from refmodel.engines.random import Search
from refmodel.engines.shrink import shortened
from refmodel.engines.stepwise import every_answer
from refmodel.language.asking import answering
from refmodel.language.design import Operation, Outline, empty_table
from refmodel.language.sizes import Geometry
from refmodel.language.tables import NOTHING

BATCH = 400
"""Runs that one seed decides."""


@attrs.frozen
class SimulatedRuns:
    """What random runs showed."""

    failure: Failure | None
    runs: int
    steps: int
    """Steps that were taken."""
    explained: Counter[str]
    """Of those that changed what both have or showed something, by operation, the ones that were found in the other design."""
    untaken: tuple[str, ...]
    """The operations of which no step was taken."""
    seconds: float
    geometry: Geometry
    """In which the runs were."""


@attrs.frozen
class Apart:
    """What another design could do in the place of a step, and where the two then differ."""

    operation: str
    """What the other does; empty for nothing."""
    outcome: Any
    entries: tuple[Change, ...]
    """Entries of the tables that both have: as they are for the other, and as they are after the step."""


@attrs.frozen
class _Happened:
    """Whether an instruction that waits may have taken effect, and may not have."""

    may_have: frozenset[bool] = frozenset({False})
    in_vain: bool = False
    """Whether an allocation failed in it."""
    at: int = 0
    """The number of the step in which that was found out."""
    before: _Happened | None = None
    """What was known before that step."""

    @property
    def had_for_certain(self) -> bool:
        """Whether it had taken effect before that step."""
        return self.before is not None and self.before.may_have == {True}


class SimulatedMachine(Machine):
    """A machine of which each step is looked for in another design; the laws are judged first."""

    def __init__(self, design: Outline, geometry: Geometry, other: Outline) -> None:
        super().__init__(design, geometry)
        self.other = Machine(other, geometry)
        self.shared = shared(design, other)
        self.computed = computed(design, other)
        """Of these, the tables that the design says what they hold, and has not."""
        self.explained: Counter[str] = Counter()
        self._happened: dict[int, _Happened] = {}
        """Of each instruction that waits, by its number: whether it has taken effect."""
        self._may_be = {name: getattr(other.cls, f"{name}_may_be", None) for name in self.shared}

    def begin(self, state: Any) -> None:
        super().begin(state)
        self._happened = {}

    def broken(self, op: Operation | None, arguments: tuple[Any, ...], outcome: Any) -> Broken | None:
        found = super().broken(op, arguments, outcome)
        if found is not None or op is None:
            return found
        resumed = self._resumed if op.name == RESUME else None
        op, arguments = self._begun_as(op, arguments)
        if unlike := self._answers_another(op, arguments, outcome):
            return self._none(unlike)
        if op.split and any(each.by_guest for each in (op, *explaining(self.design, self.other.design, op))):
            return self._part(op, arguments, outcome, resumed)
        if not self._may_have_changed() and not shows(shown_by(outcome)) and self._may_rest(op, outcome):
            return None
        for start in self._starts():
            self.other.begin(start)
            rests = self._rests(op, outcome)
            if rests or any(self._is(op, outcome, step) for step in self._steps(op, arguments, outcome)):
                self.explained[op.name] += not rests or self._has_changed()
                return None
        return self._no_step(op, outcome)

    def _part(self, op: Operation, arguments: tuple[Any, ...], outcome: Any, resumed: UnderWay | None) -> Broken | None:
        """What is wrong with a part of an instruction at which others may run. What a guest asks for happens once: one part is the
        step, and the others are none. Where a part may be either, both are kept in mind."""
        number = self._taken + 1 if resumed is None else resumed.begun_in
        known = self._happened.get(number, _Happened())
        before = known if known.at != self._taken + 1 else known.before or _Happened()
        rests = is_step = False
        for start in self._starts():
            self.other.begin(start)
            rests = rests or self._rests(op, outcome)
            is_step = is_step or any(self._is(op, outcome, step) for step in self._steps(op, arguments, outcome))
        after = {*(before.may_have if rests else ()), *({True} if is_step and False in before.may_have else ())}
        in_vain = before.in_vain or self.allocation_failed
        self._happened[number] = _Happened(frozenset(after), in_vain, self._taken + 1, attrs.evolve(before, before=None))
        self.explained[op.name] += is_step and True in after
        if not after:
            again = f"{op.name} has taken effect before, in an earlier part, and takes effect once more."
            return self._none(again) if is_step else self._no_step(op, outcome)
        if any(each.begun_in == number for each in self.pending) or True in after:
            return None
        if has_to_be_a_step(self.design, self.other.design, op, outcome, in_vain):
            return self._none(f"{op.name} has ended, and no part of it has taken effect.")
        return None

    def _no_step(self, op: Operation, outcome: Any) -> Broken:
        other = self.other.design.name
        names = " or ".join(each.name for each in explaining(self.design, self.other.design, op))
        needs = "every completed instruction of a guest needs a matching step"
        why = needs if self._is_idle(op, outcome) else f"this step changes or shows something that {other} has"
        return self._none(f"{other} has no step {names}{' ' if names else ''}with this effect, and {why}.")

    def _none(self, why: str) -> Broken:
        return Broken(None, f"simulation of {self.other.design.name}", why, ())

    @staticmethod
    def _answers_another(op: Operation, arguments: tuple[Any, ...], outcome: Any) -> str:
        """What is wrong if a request or an access of the guest's was taken for another."""
        wrong = [name for name, _, told, argument in asked_for(op, arguments, outcome) if told != argument]
        return f"The outcome of {op.name} names another {wrong[0]} than that of the guest's instruction." if wrong else ""

    def _begun_as(self, op: Operation, arguments: tuple[Any, ...]) -> tuple[Operation, tuple[Any, ...]]:
        """The operation that a step belongs to: for one that goes on, what it began as."""
        if op.name == RESUME and self._resumed is not None:
            return self._resumed.op, self._resumed.arguments
        return op, arguments

    # ------------------------------------------------------------ the other design

    def _may_have_changed(self) -> bool:
        """Whether the step just taken has written to what both have, or to what the design looks at to say what a table holds."""
        looked_at = {name for each in self.computed for name in self.design.text.abstracted[each]}
        return any(getattr(self.state, name).changed for name in {*self.shared, *looked_at} - {*self.computed})

    def _has_changed(self) -> bool:
        """Whether an entry of what both have is another than before the step just taken."""
        before, after = self._view(self.before), self._now()
        return any(getattr(before, name) != getattr(after, name) for name in self.shared)

    def _view(self, state: Any) -> Any:
        """The tables that the other has, in a state of its own."""
        other = self.other.design.blank()
        for name in self.shared:
            table = empty_table(self.other.design.table(name), self.geometry) if name in self.computed else getattr(state, name)
            setattr(other, name, table.twin())
        fill(self, state, self.computed, other)
        return other

    def _now(self) -> Any:
        """The tables that the other has, as they are now, to be looked at: they are copied only where they are worked out."""
        return self._view(self.state) if self.computed else self.state

    def _starts(self) -> Iterator[Any]:
        """The state before, as it is for the other: as it was, and after what the other may have done of itself, of which the step
        has left something. All of that is tried, and each part."""
        before, after = self._view(self.before), self._now()
        yield before
        freely = [
            (name, key, value)
            for name in self.shared
            if self._may_be[name] is not None
            for key, value in getattr(after, name).items()
            if value != getattr(before, name).get(key) and self._freely(before, name, key, value)
        ]
        for some in [freely, *([change] for change in freely)] if len(freely) > 1 else [freely] if freely else []:
            start = self._view(self.before)
            for name, key, value in some:
                getattr(start, name)[key] = value
            yield start

    def _steps(self, op: Operation, arguments: tuple[Any, ...], outcome: Any) -> Iterator[tuple[Operation, Any, Any]]:
        """Every step of the other that may explain one: where it leads, and what it shows."""
        for candidate in explaining(self.design, self.other.design, op):
            for given in self._arguments(candidate, op, arguments, outcome):

                def attempt(pick: Any, candidate: Operation = candidate, given: tuple[Any, ...] = given) -> Any:
                    self.other.undo()
                    return self.other.attempt(candidate, given, pick)

                for taken in every_answer(attempt):
                    if taken is not None and not isinstance(taken[1], Aborted):
                        yield candidate, copy_of(self.other.design, self.other.state), taken[1]
        self.other.undo()

    def _arguments(self, candidate: Operation, op: Operation, arguments: tuple[Any, ...], outcome: Any) -> Iterator[Any]:
        options = [given_for(op, candidate, each, arguments, outcome) for each in candidate.parameters]
        named = zip(candidate.parameters, options, strict=True)
        return itertools.product(*(self.values(kind) if given in ([], [NOTHING]) else given for (_, kind), given in named))

    def nearest(self, op: Operation, arguments: tuple[Any, ...], outcome: Any) -> Apart:
        """What the other could do in the place of the step just taken, and how that differs, where it differs least. In the place
        of an instruction that has taken effect before it does nothing."""
        resumed = self._resumed if op.name == RESUME else None
        op, arguments = self._begun_as(op, arguments)
        found = [Apart("", None, self._apart(self._view(self.before), self.state))]
        if resumed is not None and self._happened.get(resumed.begun_in, _Happened()).had_for_certain:
            return found[0]
        for start in self._starts():
            self.other.begin(start)
            for candidate, after, theirs in self._steps(op, arguments, outcome):
                found.append(Apart(candidate.name, theirs, self._apart(after, self.state)))
        return min(found, key=lambda each: (not each.operation, len(each.entries)))

    def _apart(self, theirs: Any, mine: Any) -> tuple[Change, ...]:
        return tuple(
            change
            for change in changes(self.other.design, theirs, self._view(mine))
            if not self._freely(theirs, change.table, change.key, change.now)
        )

    # ------------------------------------------------------------ what is the same

    def _may_rest(self, op: Operation, outcome: Any) -> bool:
        """Whether a step may be none. What others may interrupt takes several, of which only one is what was asked for."""
        if op.split and not self._shows_all_of(op, outcome):
            return True
        return not has_to_be_a_step(self.design, self.other.design, op, outcome, self.allocation_failed)

    def _is_idle(self, op: Operation, outcome: Any) -> bool:
        """Whether the step just taken changes and shows nothing."""
        shown = shows(shown_by(outcome)) or self._shows_all_of(op, outcome)
        return not shown and self._leads_to(self._view(self.before))

    def _shows_all_of(self, op: Operation, outcome: Any) -> bool:
        return shows_all_of(op, outcome, explaining(self.design, self.other.design, op))

    def _rests(self, op: Operation, outcome: Any) -> bool:
        return self._may_rest(op, outcome) and not shows(shown_by(outcome)) and self._leads_to(self.other.before)

    def _is(self, op: Operation, outcome: Any, step: tuple[Operation, Any, Any]) -> bool:
        candidate, after, theirs = step
        if type(theirs) is type(outcome) and shown_by(outcome) is None:
            same = theirs == outcome
        else:
            told = replies(op, candidate, outcome, theirs)
            same = told is not None and told[0] == told[1]
        return same and self._leads_to(after)

    def _leads_to(self, expected: Any) -> bool:
        """Whether what both have is as expected now, but for what the other may do of itself from there."""
        view = self._now()
        for name in self.shared:
            mine, theirs = getattr(view, name), getattr(expected, name)
            for key, value in mine.items():
                if value != theirs.get(key) and not self._freely(expected, name, key, value):
                    return False
            if len(mine) != len(theirs):
                return False
        return True

    def _freely(self, state: Any, name: str, key: Any, value: Any) -> bool:
        """Whether the other may by itself make this of an entry, in a state of its own."""
        may_be = self._may_be[name]
        if may_be is None:
            return False
        with answering(self.other):
            return bool(may_be(state, *(key if isinstance(key, tuple) else (key,)), value))


def simulated_runs(
    design: Outline, other: Outline, geometry: Geometry, *, seconds: float = 5.0, runs: int | None = None, seed: int = 0
) -> SimulatedRuns:
    """Random runs until the time or the number is up, or a step is not explained; the run to it is shrunk."""
    began, number, done, steps = time.perf_counter(), 0, 0, 0
    failure, explained, applied = None, Counter[str](), Counter[str]()
    making = partial(SimulatedMachine, other=other)
    while failure is None and (runs is None or done < runs) and time.perf_counter() - began <= seconds:
        search = Search(design, geometry, f"{seed} {number}", applied, machine=making)
        for _ in range(BATCH if runs is None else min(BATCH, runs - done)):
            failure, done = search.run(), done + 1
            if failure is not None or time.perf_counter() - began > seconds:
                break
        number += 1
        assert isinstance(search.machine, SimulatedMachine)
        steps += search.steps
        explained += search.machine.explained
    found = None if failure is None else shortened(design, geometry, failure, making)
    untaken = tuple(op.name for op in design.operations if op.name not in applied)
    return SimulatedRuns(found, done, steps, explained, untaken, time.perf_counter() - began, geometry)


def apart_at_first(design: Outline, other: Outline, geometry: Geometry) -> tuple[Change, ...]:
    """Entries of the other design's tables that the design says hold something else at power-on: as they are there, and as the
    design says. No step leads to such a state, so no run can show it."""
    machine = SimulatedMachine(design, geometry, other)
    machine.power_on(lambda options: options[0])
    return tuple(
        change
        for change in changes(other, machine.other.state, machine._view(machine.state))
        if change.table in machine.computed and change.table not in other.arbitrary
    )


def square(design: Outline, other: Outline, geometry: Geometry, run: Run) -> tuple[Apart, Any]:
    """The square of a run's last step, which is none of the other design's: what the other could do instead, and what came of the
    step."""
    machine = SimulatedMachine(design, geometry, other)
    machine.power_on(recorded(run.initial))
    for step in run.steps[:-1]:
        machine.broken_by(step, machine.step(step))  # so that it is known which instructions have taken effect
        machine.settle()
    last = run.steps[-1]
    outcome = machine.step(last)
    machine.broken_by(last, outcome)
    op = machine.operation_of(last)
    assert op is not None
    return machine.nearest(op, last.arguments, outcome), outcome
