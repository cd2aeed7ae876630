"""Progress on ints: from states that random runs reach, what is pending is ended, until nothing is pending any more.

Only operations that end something are taken, each where something is pending that waits for nothing else, and no allocation fails.
A run fails if such an operation is refused, if what it is to end is still pending after it, or if it comes back to a state in which
it was before. (``progress`` proves that no run does.)
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from refmodel.engines.machine import Broken, Failure, Machine, Run, Step, copy_of
from refmodel.engines.random import Search
from refmodel.language.asking import Refused, answering
from refmodel.language.design import Outline
from refmodel.language.kinds import Geometry
from refmodel.language.pending import Pending

RUNS = 300
"""Random runs that lead to states in which something may be pending."""
ROUNDS = 4
"""So many times as many, as long as there is a condition that has not held in any of these states."""
STATES = 100
"""States from which everything is ended, for each condition: those in which it holds that the shortest runs lead to."""
STEPS = 400
"""Steps after which nothing more is ended from one state."""
ANSWERS = 64
"""Ways to answer what an operation asks, before it counts as refused."""


@attrs.frozen
class Ended:
    """What runs came to."""

    failure: Failure | None
    """A run after which something pending is not ended; the law of what it breaks is the condition of what is pending."""
    ended: Counter[str]
    """How often each condition was ended, by name."""


def end_everything(design: Outline, geometry: Geometry, seed: int = 0) -> Ended:
    """End what is pending in states that random runs reach; the shortest run that fails, if one does."""
    if not design.pending:
        return Ended(None, Counter())
    ended: Counter[str] = Counter()
    for state, run in _states(design, geometry, seed):
        failure = _Ending(design, geometry, ended).from_state(state, run)
        if failure is not None:
            return Ended(failure, ended)
    return Ended(None, ended)


def _states(design: Outline, geometry: Geometry, seed: int) -> Iterator[tuple[Any, Run]]:
    """States in which something is pending, and the runs that lead there, the shortest first."""
    search, machine = Search(design, geometry, f"progress {seed}"), _Ending(design, geometry, Counter())
    conditions, looked_at = {each.name for each in design.pending}, 0
    found: list[tuple[Any, Run, set[str]]] = []
    for _ in range(ROUNDS):
        lawful = all(search.run() is None for _ in range(RUNS))  # if not, whoever judges laws will say so
        for mark in search.landmarks[looked_at:]:
            found.append((mark.state, mark.run, machine.pending_in(mark.state)))
        looked_at = len(search.landmarks)
        if not lawful or set().union(*(names for _, _, names in found)) >= conditions:
            break
    taken: Counter[str] = Counter()
    for state, run, names in sorted(found, key=lambda each: len(each[1].steps)):
        if any(taken[name] < STATES for name in names):
            taken.update(names)
            yield state, run


def not_ended(design: Outline, geometry: Geometry, state: Any) -> Broken | None:
    """What is pending in a state, and is not ended when its operations are taken; None if all of it is."""
    failure = _Ending(design, geometry, Counter()).from_state(state, Run((), ())) if design.pending else None
    return None if failure is None else failure.broken


class _Plenty(Machine):
    """A machine in which no allocation fails, unless it has to."""

    plenty = True

    def yes(self, question: str) -> bool:
        if not self.plenty or not question.endswith(" fails"):
            return super().yes(question)
        self._asked.append((False, 0, question))
        return False


class _Ending:
    """A machine whose pending work is brought to its end."""

    def __init__(self, design: Outline, geometry: Geometry, ended: Counter[str]) -> None:
        self.design, self.ended = design, ended
        self.machine = _Plenty(design, geometry)
        self.steps: list[Step] = []
        self.short = False
        """Whether something pending waits for memory."""
        self.initial: tuple[Any, ...] = ()

    def from_state(self, state: Any, run: Run) -> Failure | None:
        """The run that fails, if this one does when it is gone on with."""
        self.machine.begin(copy_of(self.design, state))
        self.initial, self.steps = run.initial, list(run.steps)
        seen = [self._entries()]
        for _ in range(STEPS):
            found = next(self._due(), None)
            if found is None:
                return None
            why = self._end(*found)
            if self.short:
                return None
            if not why and self._entries() in seen:
                why = "only operations were taken that end something, and the state is one that was there before"
            if why:
                return self._failure(*found, why)
            seen.append(self._entries())
        return None

    def pending_in(self, state: Any) -> set[str]:
        """The names of the conditions that hold somewhere in a state."""
        self.machine.begin(copy_of(self.design, state))
        return {each.name for each in self.design.pending
                if any(self._holds(each, names) for names in self.machine.names_of(each.law))}

    def _end(self, pending: Pending, names: Sequence[Any]) -> str:
        """Take the operation that ends it; why that is not so, if it is not. Where memory is short nothing can be said."""
        given = dict(zip((name for name, _ in pending.law.names), names, strict=True))
        op = self.design.operation(pending.until)
        arguments = tuple(given[name] for name, _ in op.parameters)
        step = self._taken(pending.until, arguments)
        if step is None and self._waits_for_memory(pending.until, arguments):
            self.short = True
            return ""
        if step is None:
            return f"{pending.until} is refused"
        self.steps.append(step)
        self.machine.settle()
        if self._holds(pending, names):
            return f"it is still pending after {pending.until}"
        self.ended[pending.name] += 1
        return ""

    def _waits_for_memory(self, name: str, arguments: tuple[Any, ...]) -> bool:
        """Whether the operation applies if an allocation fails."""
        self.machine.plenty = False
        applies = self._taken(name, arguments) is not None
        self.machine.plenty = True
        self.machine.undo()
        return applies

    def _taken(self, name: str, arguments: tuple[Any, ...]) -> Step | None:
        """The operation, if it applies whatever it is answered."""
        op = self.design.operation(name)
        for pick in itertools.islice(_answers(), ANSWERS):
            taken = self.machine.attempt(op, arguments, pick)
            if taken is not None:
                return taken[0]
            if pick.asked_for_nothing:
                break
        return None

    def _due(self) -> Iterator[tuple[Pending, tuple[Any, ...]]]:
        """What is pending, and waits for nothing else that is."""
        anywhere = {each.name: [names for names in self.machine.names_of(each.law) if self._holds(each, names)]
                    for each in self.design.pending}
        for each in self.design.pending:
            if not any(anywhere[name] for name in each.after):
                yield from ((each, names) for names in anywhere[each.name])

    def _holds(self, pending: Pending, names: Sequence[Any]) -> bool:
        with answering(self.machine):
            return bool(pending.law.function(self.machine.state, *names))

    def _entries(self) -> dict[str, dict[Any, Any]]:
        return {table.name: dict(getattr(self.machine.state, table.name)) for table in self.design.tables}

    def _failure(self, pending: Pending, names: Sequence[Any], why: str) -> Failure:
        law = pending.law
        named = tuple(zip((name for name, _ in law.names), names, strict=True))
        return Failure(Run(self.initial, tuple(self.steps)), Broken(law, law.clause, law.sentence, named, f"({law.name}: {why})"))


class _Answers:
    """Answers to what an operation asks: the first of each, then others in turn."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers, self.sizes = list(numbers), list[int]()

    @property
    def asked_for_nothing(self) -> bool:
        """Whether there was nothing to answer, so that other answers change nothing."""
        return not self.sizes

    def __call__(self, options: Sequence[Any]) -> Any:
        at = len(self.sizes)
        self.sizes.append(len(options))
        number = self.numbers[at] if at < len(self.numbers) else 0
        if number >= len(options):
            raise Refused
        return options[number]


def _answers() -> Iterator[_Answers]:
    """Every way to answer, one after the other, each from what the last was asked."""
    numbers: list[int] = []
    while True:
        pick = _Answers(numbers)
        yield pick
        numbers = [pick.numbers[at] if at < len(pick.numbers) else 0 for at in range(len(pick.sizes))]
        while numbers and numbers[-1] + 1 >= pick.sizes[len(numbers) - 1]:
            numbers.pop()
        if not numbers:
            return
        numbers[-1] += 1
