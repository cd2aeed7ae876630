"""Progress on ints: from states that random runs and explorations reach, what is pending is ended, until nothing is any more.

Only operations that end something are taken, each where something is pending that waits for nothing else, and no allocation fails.
A run fails if such an operation is refused, if what it is to end is still pending after it, or if it comes back to a state in which
it was before. (``progress`` proves that no run does.)
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import attrs

from refmodel.engines.machine import Broken, Failure, Machine, Run, Step, aborted, copy_of, identity_of, recorded
from refmodel.engines.progress_work import Answers, Due, SaysNothing, Work, broken_by
from refmodel.engines.random import Search
from refmodel.engines.shrink import nearly
from refmodel.language.asking import FAILS
from refmodel.language.design import Operation, Outline
from refmodel.language.pending import stated
from refmodel.language.sizes import Geometry

RUNS = 300
"""Random runs that lead to states in which something may be pending."""
ROUNDS = 4
"""So many times as many, as long as there is a condition that has not held in any of these states."""
STATES, AT_THE_END = 100, 50
"""States from which everything is ended, for each condition: those in which it holds that the shortest runs lead to, of those which
a search remembers and of those in which its runs ended."""
STEPS, OTHERS, FEWEST = 400, 2_000, 25
"""Steps after which nothing more is ended from one state; states from which other orders and answers than the first are tried; and
the steps after which nothing more is ended if from other states all STEPS did not come to an end: each time half as many."""
T = TypeVar("T")
CAME_BACK = "only operations were taken that end something, and the state is one that was there before"


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
    done = end_from(design, geometry, _states(design, geometry, seed))
    left = {each for each in design.pending if not done.ended[each.name]}
    if done.failure is None and left and any(op.split for op in design.operations):
        return Ended(
            None, done.ended + _ended_while_others_wait(design.judging({each.law for each in left}.__contains__), geometry, seed)
        )
    return done


def _ended_while_others_wait(design: Outline, geometry: Geometry, seed: int) -> Counter[str]:
    """How often each condition can be ended in states in which it holds and a split operation waits. That it is refused there is no
    failure: whoever waits goes on at some time."""
    search, work = Search(design, geometry, f"progress {seed}", machine=_Unjudged), Work(design, geometry)
    ended: Counter[str] = Counter()
    for _ in range(RUNS):
        if search.run() is None and search.machine.pending:
            ended.update(work.can_end(copy_of(design, search.machine.state)))
        if all(ended[each.name] for each in design.pending):
            break
    return ended


def end_from(design: Outline, geometry: Geometry, states: Iterable[tuple[Any, Run]]) -> Ended:
    """End what is pending in these states, to which these runs lead; the first run that fails, if one does."""
    ended: Counter[str] = Counter()
    known = _Known(design, geometry)
    orders = [_Ending(known, ended, turn) for turn in range(len(stated(design.cls)))]
    for (state, run), ending in itertools.product(states, orders):
        failure = ending.from_state(state, run)
        if failure is not None and _is_lawful(design, geometry, run):
            return Ended(_shortened(known, geometry, run, ending.turn, failure), ended)
    return Ended(None, ended)


def _shortened(known: _Known, geometry: Geometry, run: Run, turn: int, failure: Failure) -> Failure:
    """A run that does not end the same, with as many steps of the way to where it is pending left out as can be."""
    design, at = known.design, len(run.steps)
    while at > 0:
        at -= 1
        state, shorter = _without(design, geometry, run, at)
        found = _Ending(known, Counter(), turn).from_state(state, shorter)
        if found is not None and found.broken.law is failure.broken.law and _is_lawful(design, geometry, shorter):
            run, failure, at = shorter, found, len(shorter.steps)
    return failure


def _without(design: Outline, geometry: Geometry, run: Run, left_out: int) -> tuple[Any, Run]:
    """The state after a run without one of its steps, and without those that do not apply then; and that run."""
    machine = _Unjudged(design, geometry)
    machine.power_on(recorded(run.initial))
    steps = []
    for step in (*run.steps[:left_out], *run.steps[left_out + 1 :]):
        op = machine.operation_of(step)
        taken = machine.attempt(op, step.arguments, nearly(step.answers)) if op is not None else None
        if taken is not None:
            steps.append(taken[0])
            machine.settle()
    return copy_of(design, machine.state), Run(run.initial, tuple(steps))


def _is_lawful(design: Outline, geometry: Geometry, run: Run) -> bool:
    """Whether a run breaks no law. If it does, whoever judges laws will say so."""
    machine = Machine(design, geometry)
    machine.power_on(recorded(run.initial))
    for step in run.steps:
        if machine.broken_by(step, machine.step(step)) is not None:
            return False
        machine.settle()
    return True


def _states(design: Outline, geometry: Geometry, seed: int) -> Iterator[tuple[Any, Run]]:
    """States in which something is pending, and the runs that lead there, the shortest first."""
    search, work = Search(design, geometry, f"progress {seed}", machine=_Unjudged), Work(design, geometry)
    conditions, looked_at = {each.name for each in design.pending}, 0
    first = search.machine
    first.begin(design.initial(geometry))
    first.power_on(search.draw.choice)
    found: list[_Found] = [(copy_of(design, first.state), Run(first.initial_answers, ()), work.pending_in(first.state))]
    at_the_end: dict[Any, _Found] = {}
    for _ in range(ROUNDS):
        right = True
        for _ in range(RUNS):
            right = right and search.run() is None
            if right and not search.machine.pending:
                state = copy_of(design, search.machine.state)
                at_the_end.setdefault(identity_of(design, state), (state, search.last, work.pending_in(state)))
        for mark in search.landmarks[looked_at:]:
            found.append((mark.state, mark.run, work.pending_in(mark.state)))
        looked_at = len(search.landmarks)
        if not right or set().union(*(names for _, _, names in found)) >= conditions:
            break
    yield from _shortest([*_of_each(found, STATES), *_of_each(at_the_end.values(), AT_THE_END)])


_Found = tuple[Any, Run, set[str]]
"""A state, the run that leads there, and the names of what is pending in it."""


def _shortest(found: Iterable[_Found]) -> Iterator[tuple[Any, Run]]:
    """The states, those first to which the shortest runs lead."""
    yield from ((state, run) for state, run, _ in sorted(found, key=lambda each: len(each[1].steps)))


def _of_each(found: Iterable[_Found], most: int) -> Iterator[_Found]:
    """For each condition so many states in which it holds: those to which the shortest runs lead."""
    taken: Counter[str] = Counter()
    for each in sorted(found, key=lambda each: len(each[1].steps)):
        if any(taken[name] < most for name in each[2]):
            taken.update(each[2])
            yield each


class _Unjudged(Machine):
    """A machine whose laws nobody asks for."""

    def broken(self, op: Operation | None, arguments: tuple[Any, ...], outcome: Any) -> Broken | None:
        return aborted(outcome)


@attrs.frozen(eq=False)
class _Place:
    """A state in which work may be due."""

    state: Any
    identity: Any


@attrs.frozen(eq=False)
class _Ways:
    """Each way to end what is due in a state."""

    due: Due
    answers: list[Answers]
    stuck: str
    """Why one of them does not end it, or there is none. Empty if it ends."""
    step: Step | None
    """The step that does not end it."""


class _Known(Work):
    """What was found out about states, in whatever order their work is ended: what is due, and where it leads to end that."""

    def __init__(self, design: Outline, geometry: Geometry) -> None:
        super().__init__(design, geometry)
        self._ways: dict[Any, list[_Ways]] = {}
        self._after: dict[Any, tuple[Step, _Place]] = {}

    def place(self, state: Any) -> _Place:
        """Where the work of a state is ended from."""
        return _Place(state, identity_of(self.design, state))

    def ways(self, place: _Place) -> list[_Ways]:
        """What is due there, and how it can be ended."""
        known = self._ways.get(place.identity)
        if known is None:
            self.machine.begin(copy_of(self.design, place.state))
            try:
                known = [self._of(due) for due in self.due(self.machine.state)]
                known += [self._early(due) for due in self.due(self.machine.state, early=True)]
            except SaysNothing as wrong:
                known = [_Ways(wrong.due, [], wrong.why, None)]
            self._ways[place.identity] = known
        return known

    def after(self, place: _Place, due: Due, way: Answers) -> tuple[Step, _Place]:
        """The step that ends what is due there in this way, and where it leads."""
        asked = place.identity, due[0].name, due[1], tuple(way.numbers)
        if asked not in self._after:
            self.machine.begin(copy_of(self.design, place.state))
            taken = self.machine.attempt(self.design.operation(due[0].until), self.arguments(*due), way.again())
            assert taken is not None
            self.machine.settle()
            self._after[asked] = taken[0], self.place(copy_of(self.design, self.machine.state))
        return self._after[asked]

    def _early(self, due: Due) -> _Ways:
        """Each way to take the operation that ends it although it waits for something: nobody has to, and it may be refused."""
        left = self.left(*due, self.machine.state)
        return _Ways(due, [pick for _, pick in self.taken(*due) if not self.not_ended(due, left, self.machine.state)], "", None)

    def _of(self, due: Due) -> _Ways:
        """Each way to take the operation that ends it: it is to end it however it is answered."""
        answers, left = [], self.left(*due, self.machine.state)
        self.machine.of_hardware = []
        for step, pick in self.taken(*due):
            try:
                stuck = self.not_ended(due, left, self.machine.state)
            except SaysNothing as wrong:
                due, stuck = wrong.due, wrong.why
            if stuck:
                return _Ways(due, [], stuck, step)
            answers.append(pick)
        certain = answers and not self.machine.of_hardware
        return _Ways(due, answers, "" if certain else self.refused(*due), None)


@attrs.frozen(eq=False)
class _Point:
    """A state from which work is ended, and how it was come to."""

    place: _Place
    steps: tuple[Step, ...]
    dues: tuple[Due, ...]
    """What was ended with each of these steps."""
    left: list[tuple[Due, Answers]]
    """What is due and how it can be ended, of what was not tried yet: the first last."""


class _Ending:
    """Pending work is brought to its end, in any order, and however what ends it is answered."""

    def __init__(self, known: _Known, ended: Counter[str], turn: int) -> None:
        """``turn`` says which of the conditions that are due is ended first, and where."""
        self.known, self.ended, self.turn, self.spare, self.most = known, ended, turn, OTHERS, STEPS
        self._done = set[Any]()
        """States from which all that was tried came to an end."""

    def from_state(self, state: Any, run: Run) -> Failure | None:
        """A run that fails, if one does that goes on from here. Where memory is short, or what nobody asked for does not end,
        nothing can be said."""
        path: list[_Point] = []
        failure = self._come_to(path, self.known.place(state), run, (), ())
        for _ in range(self.most):
            while path and not path[-1].left:
                self._done.add(path.pop().place.identity)
                self.spare -= 1
            if failure is not None or not path or self.spare < 0:
                break
            at = path[-1]
            due, way = at.left.pop()
            step, place = self.known.after(at.place, due, way)
            self.ended[due[0].name] += 1
            steps, dues = (*at.steps, step), (*at.dues, due)
            came_back = next((point for point in path if point.place.identity == place.identity), None)
            if came_back is None:
                failure = self._come_to(path, place, run, steps, dues)
            else:
                failure = self._failing(run, steps, dues[len(came_back.dues) :], CAME_BACK)
        if path and failure is None:
            self.most = max(self.most // 2, FEWEST)
        return failure

    def _come_to(
        self, path: list[_Point], place: _Place, run: Run, steps: tuple[Step, ...], dues: tuple[Due, ...]
    ) -> Failure | None:
        """Go on from a state, unless nothing is due there, or it is known; the run that fails there, if it does."""
        left: list[tuple[Due, Answers]] = []
        for ways in [] if place.identity in self._done else self._in_turn(self.known.ways(place)):
            if ways.stuck and self.known.is_judged(ways.due[0]):
                return self._failing(run, (*steps, ways.step) if ways.step is not None else steps, [ways.due], ways.stuck)
            left += [(ways.due, way) for way in ways.answers]
        if left:
            path.append(_Point(place, steps, dues, left[::-1]))
        return None

    def _failing(self, run: Run, steps: tuple[Step, ...], dues: Sequence[Due], why: str) -> Failure | None:
        """That one of these does not come to an end, the last that is judged."""
        judged = [due for due in dues if self.known.is_judged(due[0])]
        return Failure(Run(run.initial, (*run.steps, *steps)), broken_by(*judged[-1], why)) if judged else None

    def _in_turn(self, ways: Iterable[_Ways]) -> list[_Ways]:
        """What is due, in the order that was asked for."""
        due: dict[str, list[_Ways]] = {}
        for each in ways:
            due.setdefault(each.due[0].name, []).append(each)
        turned = [_turned(of_one, self.turn) for of_one in _turned(list(due.values()), self.turn)]
        return [each for of_one in turned for each in of_one]


def _turned(these: list[T], turn: int) -> list[T]:
    """The elements in turn, beginning with another one."""
    at = turn % max(1, len(these))
    return [*these[at:], *these[:at]]


class Watched(Work):
    """A run, step by step: whether its end shows that something pending does not end."""

    def __init__(self, design: Outline, geometry: Geometry, state: Any) -> None:
        super().__init__(design, geometry)
        self._seen = [self.entries(state)]
        """The states since which only operations were taken that end something."""
        self._shown: Broken | None = None

    def step(self, step: Step, before: Any, after: Any, asked: Sequence[str]) -> None:
        """A step was taken, and asked this."""
        entries, self._shown = self.entries(after), None
        try:
            ends = [
                (due, self.left(*due, before))
                for early in (False, True)
                for due in self.due(before, early)
                if due[0].until == step.operation and self.arguments(*due) == step.arguments
                if not early or not self.not_ended(due, self.left(*due, before), after)
            ]
        except SaysNothing:  # it was shown when the run was here
            ends = []
        if not ends or any(question.endswith(f"{FAILS}? yes") for question in asked):
            self._seen = [entries]
            return
        for due, left in ends:
            why = self._why(due, left, after) or (CAME_BACK if entries in self._seen else "")
            if why and self.is_judged(due[0]):
                self._shown = self._shown or broken_by(*due, why)
        self._seen.append(entries)

    def _why(self, due: Due, left: int, after: Any) -> str:
        """Why what was due has not come nearer to its end."""
        try:
            return self.not_ended(due, left, after)
        except SaysNothing:  # it is shown where it says nothing
            return ""

    def shows(self, state: Any) -> Broken | None:
        """What is pending in this state, the run's last, and does not end, as far as the run shows it."""
        if self._shown is not None:
            return self._shown
        self.machine.begin(copy_of(self.design, state))
        try:
            all_due = [(due, self.left(*due, state)) for due in self.due(state)]
        except SaysNothing as wrong:
            return broken_by(*wrong.due, wrong.why) if self.is_judged(wrong.due[0]) else None
        refused = ((*due, self.refused(*due)) for due, _ in all_due if self.is_judged(due[0]))
        return next((broken_by(each, names, why) for each, names, why in refused if why), None)
