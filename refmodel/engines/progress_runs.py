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
from refmodel.engines.random import Search
from refmodel.engines.shrink import nearly
from refmodel.language.asking import CACHED, FAILS, Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.pending import Pending, stated
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
ANSWERS = 64
"""Ways to answer what an operation asks, before it counts as refused."""

T = TypeVar("T")
Due = tuple[Pending, tuple[Any, ...]]
"""What is pending, and where."""

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
    search, work = Search(design, geometry, f"progress {seed}", machine=_Unjudged), _Work(design, geometry)
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
    orders = [_Ending(design, geometry, ended, turn) for turn in range(len(stated(design.cls)))]
    for (state, run), ending in itertools.product(states, orders):
        failure = ending.from_state(state, run)
        if failure is not None and _is_lawful(design, geometry, run):
            return Ended(_shortened(design, geometry, run, ending.turn, failure), ended)
    return Ended(None, ended)


def _shortened(design: Outline, geometry: Geometry, run: Run, turn: int, failure: Failure) -> Failure:
    """A run that does not end the same, with as many steps of the way to where it is pending left out as can be."""
    at = len(run.steps)
    while at > 0:
        at -= 1
        state, shorter = _without(design, geometry, run, at)
        found = _Ending(design, geometry, Counter(), turn).from_state(state, shorter)
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
    search, work = Search(design, geometry, f"progress {seed}", machine=_Unjudged), _Work(design, geometry)
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


class _Plenty(Machine):
    """A machine in which no allocation fails, unless it has to."""

    plenty = True
    used: bool | None = None
    """Whether the hardware uses all that it has cached, or nothing; None: as it is answered."""
    hardware = ""
    """What was asked of the hardware last."""

    def yes(self, question: str) -> bool:
        if not question.endswith(FAILS):
            self.hardware = question
            return super().yes(question) if self.used is None else self._answered(question, self.used)
        return self._answered(question, False) if self.plenty else super().yes(question)

    def _answered(self, question: str, answer: bool) -> bool:
        self._asked.append((answer, int(answer), question))
        return answer


class _Work:
    """What is pending in states of a design, and the operations that end it."""

    def __init__(self, design: Outline, geometry: Geometry) -> None:
        self.design = design
        self.machine = _Plenty(design, geometry)
        self._stated = tuple(stated(design.cls).values())
        """Those that are not judged as well: others may wait for them."""
        self._judged = {each.name for each in design.pending}

    def is_judged(self, pending: Pending) -> bool:
        """Whether anybody asked for it."""
        return pending.name in self._judged

    def pending_in(self, state: Any) -> set[str]:
        """The names of the conditions that hold somewhere in a state, of those that are judged."""
        return {
            each.name
            for each in self.design.pending
            if any(self.holds(each, names, state) for names in self.machine.names_of(each.law))
        }

    def due(self, state: Any) -> list[Due]:
        """What is pending in a state, and waits for nothing else that is."""
        anywhere = {
            each.name: [names for names in self.machine.names_of(each.law) if self.holds(each, names, state)]
            for each in self._stated
        }
        return [
            (each, names)
            for each in self._stated
            if not any(anywhere[name] for name in each.after)
            for names in anywhere[each.name]
        ]

    def can_end(self, state: Any) -> Iterator[str]:
        """The names of the conditions that hold in a state and that the operation ends which is to end them."""
        for each, names in [due for due in self.due(state) if self.is_judged(due[0])]:
            self.machine.begin(copy_of(self.design, state))
            if any(not self.holds(each, names, self.machine.state) for _ in self.taken(each, names)):
                yield each.name

    def holds(self, pending: Pending, names: Sequence[Any], state: Any) -> bool:
        """Whether it is pending there."""
        with answering(self.machine):
            return bool(pending.law.function(state, *names))

    def arguments(self, pending: Pending, names: Sequence[Any]) -> tuple[Any, ...]:
        """What the operation is given that ends it."""
        given = dict(zip((name for name, _ in pending.law.names), names, strict=True))
        return tuple(given[name] for name, _ in self.design.operation(pending.until).parameters)

    def entries(self, state: Any) -> dict[str, dict[Any, Any]]:
        """A copy of all that a state holds."""
        return {table.name: dict(getattr(state, table.name)) for table in self.design.tables}

    def taken(self, pending: Pending, names: Sequence[Any]) -> Iterator[tuple[Step, _Answers]]:
        """Each way to take the operation that ends it, in the machine's state, with the answers. Each is undone by the next."""
        op, arguments = self.design.operation(pending.until), self.arguments(pending, names)
        for pick in itertools.islice(_answers(), ANSWERS):
            self.machine.undo()
            taken = self.machine.attempt(op, arguments, pick)
            if taken is not None:
                yield taken[0], pick
            if pick.asked_for_nothing:
                break
        self.machine.undo()

    def waits_for_memory(self, pending: Pending, names: Sequence[Any]) -> bool:
        """Whether the operation applies if an allocation fails."""
        self.machine.plenty = False
        applies = any(True for _ in self.taken(pending, names))
        self.machine.plenty = True
        self.machine.undo()
        return applies

    def refused(self, pending: Pending, names: Sequence[Any]) -> str:
        """That the operation does not apply, and would not if an allocation failed: at all, or if the hardware always uses what it
        has cached, or never does. Empty if it applies."""
        self.machine.hardware = ""
        if not self._applies(pending, names):
            return f"{pending.until} is refused"
        for used in (True, False) if self.machine.hardware else ():
            self.machine.used = used
            applies = self._applies(pending, names)
            self.machine.used = None
            if not applies:
                cached = self.machine.hardware.removesuffix(CACHED)
                return f"{pending.until} is refused if the cached {cached} is {'used' if used else 'not used'}"
        return ""

    def _applies(self, pending: Pending, names: Sequence[Any]) -> bool:
        """Whether the operation applies in some way, perhaps only if an allocation fails."""
        applies = any(True for _ in self.taken(pending, names))
        self.machine.undo()
        return applies or self.waits_for_memory(pending, names)


def broken_by(pending: Pending, names: Sequence[Any], why: str) -> Broken:
    """That something pending does not come to an end."""
    law = pending.law
    named = tuple(zip((name for name, _ in law.names), names, strict=True))
    return Broken(law, law.clause, law.sentence, named, f"({law.name}: {why})")


@attrs.frozen(eq=False)
class _Point:
    """A state from which work is ended, and how it was come to."""

    state: Any
    identity: Any
    steps: tuple[Step, ...]
    dues: tuple[Due, ...]
    """What was ended with each of these steps."""
    left: list[tuple[Due, _Answers]]
    """What is due and how it can be ended, of what was not tried yet: the first last."""


class _Ending(_Work):
    """A machine whose pending work is brought to its end, in any order, and however that is answered."""

    def __init__(self, design: Outline, geometry: Geometry, ended: Counter[str], turn: int) -> None:
        """``turn`` says which of the conditions that are due is ended first, and where."""
        super().__init__(design, geometry)
        self.ended, self.turn, self.spare, self.most = ended, turn, OTHERS, STEPS
        self._done = set[Any]()
        """States from which all that was tried came to an end."""

    def from_state(self, state: Any, run: Run) -> Failure | None:
        """A run that fails, if one does that goes on from here. Where memory is short, or what nobody asked for does not end,
        nothing can be said."""
        path: list[_Point] = []
        failure = self._come_to(path, state, identity_of(self.design, state), run, (), ())
        for _ in range(self.most):
            while path and not path[-1].left:
                self._done.add(path.pop().identity)
                self.spare -= 1
            if failure is not None or not path or self.spare < 0:
                break
            at = path[-1]
            due, way = at.left.pop()
            op, arguments = self.design.operation(due[0].until), self.arguments(*due)
            self.machine.begin(copy_of(self.design, at.state))
            taken = self.machine.attempt(op, arguments, way.again())
            assert taken is not None
            self.machine.settle()
            self.ended[due[0].name] += 1
            state, steps, dues = copy_of(self.design, self.machine.state), (*at.steps, taken[0]), (*at.dues, due)
            identity = identity_of(self.design, state)
            came_back = next((point for point in path if point.identity == identity), None)
            if came_back is None:
                failure = self._come_to(path, state, identity, run, steps, dues)
            else:
                failure = self._failing(run, steps, dues[len(came_back.dues) :], CAME_BACK)
        if path and failure is None:
            self.most = max(self.most // 2, FEWEST)
        return failure

    def _come_to(
        self, path: list[_Point], state: Any, identity: Any, run: Run, steps: tuple[Step, ...], dues: tuple[Due, ...]
    ) -> Failure | None:
        """Go on from a state, unless nothing is due there, or it is known; the run that fails there, if it does."""
        self.machine.begin(copy_of(self.design, state))
        left: list[tuple[Due, _Answers]] = []
        for due in [] if identity in self._done else self._in_turn():
            ways, step, why = self._ways(*due)
            if why and self.is_judged(due[0]):
                return self._failing(run, (*steps, step) if step is not None else steps, [due], why)
            left += [(due, way) for way in ways]
        if left:
            path.append(_Point(state, identity, steps, dues, left[::-1]))
        return None

    def _failing(self, run: Run, steps: tuple[Step, ...], dues: Sequence[Due], why: str) -> Failure | None:
        """That one of these does not come to an end, the last that is judged."""
        judged = [due for due in dues if self.is_judged(due[0])]
        return Failure(Run(run.initial, (*run.steps, *steps)), broken_by(*judged[-1], why)) if judged else None

    def _in_turn(self) -> list[Due]:
        """What is due, in the order that was asked for."""
        due: dict[str, list[Due]] = {}
        for each in self.due(self.machine.state):
            due.setdefault(each[0].name, []).append(each)
        turned = [_turned(of_one, self.turn) for of_one in _turned(list(due.values()), self.turn)]
        return [each for of_one in turned for each in of_one]

    def _ways(self, pending: Pending, names: Sequence[Any]) -> tuple[list[_Answers], Step | None, str]:
        """Each way to take the operation that ends it, and why one does not end it, if one does not, with the step that it is. It
        is to end it however it is answered."""
        ways = []
        self.machine.hardware = ""
        for step, pick in self.taken(pending, names):
            if self.holds(pending, names, self.machine.state):
                return [], step, f"it is still pending after {pending.until}"
            ways.append(pick)
        if ways and not self.machine.hardware:
            return ways, None, ""
        return ways, None, self.refused(pending, names)


def _turned(these: list[T], turn: int) -> list[T]:
    """The elements in turn, beginning with another one."""
    at = turn % max(1, len(these))
    return [*these[at:], *these[:at]]


class Watched(_Work):
    """A run, step by step: whether its end shows that something pending does not end."""

    def __init__(self, design: Outline, geometry: Geometry, state: Any) -> None:
        super().__init__(design, geometry)
        self._seen = [self.entries(state)]
        """The states since which only operations were taken that end something."""
        self._shown: Broken | None = None

    def step(self, step: Step, before: Any, after: Any, asked: Sequence[str]) -> None:
        """A step was taken, and asked this."""
        ends = [
            (each, names)
            for each, names in self.due(before)
            if each.until == step.operation and self.arguments(each, names) == step.arguments
        ]
        entries, self._shown = self.entries(after), None
        if not ends or any(question.endswith(f"{FAILS}? yes") for question in asked):
            self._seen = [entries]
            return
        for each, names in filter(lambda due: self.is_judged(due[0]), ends):
            if self.holds(each, names, after):
                self._shown = self._shown or broken_by(each, names, f"it is still pending after {each.until}")
            elif entries in self._seen:
                self._shown = self._shown or broken_by(each, names, CAME_BACK)
        self._seen.append(entries)

    def shows(self, state: Any) -> Broken | None:
        """What is pending in this state, the run's last, and does not end, as far as the run shows it."""
        if self._shown is not None:
            return self._shown
        self.machine.begin(copy_of(self.design, state))
        refused = ((*due, self.refused(*due)) for due in self.due(state) if self.is_judged(due[0]))
        return next((broken_by(each, names, why) for each, names, why in refused if why), None)


class _Answers:
    """Answers to what an operation asks: the first of each, then others in turn."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers, self.sizes = list(numbers), list[int]()

    @property
    def asked_for_nothing(self) -> bool:
        """Whether there was nothing to answer, so that other answers change nothing."""
        return not self.sizes

    def again(self) -> _Answers:
        """A new copy of these answers, none of which has been asked for."""
        return _Answers(self.numbers)

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
