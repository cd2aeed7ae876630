"""Random runs, in two forms.

``campaign`` searches by itself, for depth and speed. It remembers one run for each shape of state that it met (``shapes``), and
most runs go on from the shape that was gone on from least. A run may use some of the operations only, and an operation that seldom
applied is tried more often. What breaks a law is shrunk (``shrink``). ``rule_machine`` makes a RuleBasedStateMachine for people's
own pytest suites: Hypothesis draws, shrinks and replays. Both judge every law after every step.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from refmodel.engines.machine import RESUME, Broken, Failure, Machine, Pick, Run, Step, copy_of, recorded, replay
from refmodel.engines.shapes import Shape, Shapes
from refmodel.engines.shrink import shortened
from refmodel.engines.tokens import encode
from refmodel.engines.words import broken_text, call, trace_text
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Geometry
from refmodel.language.laws import Law

Instance = tuple[Operation, tuple[Any, ...]]


@attrs.frozen
class Campaign:
    """What a campaign did: its verdict and its coverage."""

    failure: Failure | None
    runs: int
    steps: int
    """Steps that were taken; those that a run shares with the run that it goes on from count once."""
    seconds: float
    applied: Counter[str]
    met: frozenset[Law]


BATCH = 2000
"""Runs that share what they remember, and that one seed decides."""
FROM_POWER_ON = 0.15
"""Share of runs that begin at power-on."""
LENGTH = 60
"""Steps of a run from power-on."""
SHORT, LONG = 6, 16
"""Steps of a run that goes on from another."""
DEEPEST = 200
"""Steps from power-on after which no run is remembered."""
FEW = 8
"""How many arguments an operation is tried with before it is another's turn."""
TURNS = 6
"""How many operations are tried before everything is tried that there is."""
SELDOM = 0.05
"""Share of steps for which the operation is tried first that applied least."""
CANDIDATES = 6
"""Shapes drawn, of which the one is chosen that was gone on from least."""


@attrs.define
class _Landmark:
    """A state that a run got to, and the run."""

    state: Any
    run: Run
    visits: int = 0


class Search:
    """Random runs that go on from what was met before; one seed decides them all."""

    def __init__(self, design: Outline, geometry: Geometry, seed: str, applied: Counter[str] | None = None,
                 deepest: int | None = None) -> None:
        self.deepest = deepest
        self.design = design
        self.draw = random.Random(seed)
        self.machine = Machine(design, geometry)
        self.kinds = _by_operation(self.machine.instances())
        self.shapes = Shapes(design)
        self.landmarks: list[_Landmark] = []
        self._by_shape: dict[Shape, _Landmark] = {}
        self.applied: Counter[str] = Counter() if applied is None else applied
        self.steps = 0

    def run(self) -> Failure | None:
        """One run, to its end or to the first broken law."""
        machine, left = self.machine, self._begin()
        if self._run.steps == () and (broken := machine.broken(None, (), None)) is not None:
            return Failure(self._run, broken)
        kinds, steps = self._some(), list(self._run.steps)
        for _ in range(left if self.deepest is None else min(left, self.deepest - len(steps))):
            taken = self._take(kinds) or (self._take(self.kinds) if kinds is not self.kinds else None)
            if taken is None:
                break
            (op, arguments), step, outcome = taken
            self.steps += 1
            self.applied[op.name] += 1
            steps.append(step)
            broken = machine.broken(op, arguments, outcome)
            if broken is not None:
                return Failure(Run(self._run.initial, tuple(steps)), broken)
            machine.settle()
            self._remember(steps)
        return None

    def _begin(self) -> int:
        """Start at power-on, or where another run was. Gives the number of steps to take."""
        machine, draw = self.machine, self.draw
        if not self.landmarks or draw.random() < FROM_POWER_ON:
            machine.begin(self.design.initial(machine.geometry))
            machine.power_on(draw.choice)
            self._run = Run(machine.initial_answers, ())
            return LENGTH
        mark = min((draw.choice(self.landmarks) for _ in range(CANDIDATES)), key=lambda m: m.visits)
        mark.visits += 1
        machine.begin(copy_of(self.design, mark.state))
        self._run = mark.run
        return draw.randint(SHORT, LONG)

    def _some(self) -> list[list[Instance]]:
        """The operations that a run may use: all, or some."""
        draw = self.draw
        if draw.random() < 0.5:
            return self.kinds
        share = draw.choice((0.5, 0.7, 0.85))
        return [instances for instances in self.kinds if draw.random() < share] or self.kinds

    def _take(self, kinds: list[list[Instance]]) -> tuple[Instance, Step, Any] | None:
        """A step that applies, if any does."""
        draw = self.draw
        for turn in range(TURNS):
            if turn == 0 and draw.random() < SELDOM:
                instances = min(kinds, key=lambda each: self.applied[each[0][0].name])
                found = self._first(instances, len(instances))
            else:
                instances = draw.choice(kinds)
                found = self._first(instances, min(FEW, len(instances)))
            if found is not None:
                return found
        for instances in draw.sample(kinds, len(kinds)):
            found = self._first(instances, len(instances))
            if found is not None:
                return found
        return None

    def _first(self, instances: list[Instance], number: int) -> tuple[Instance, Step, Any] | None:
        """The first of so many that applies."""
        at = self.draw.randrange(len(instances))
        for i in range(number):
            op, arguments = instances[at - i]
            taken = self.machine.attempt(op, arguments, self.draw.choice)
            if taken is not None:
                return (op, arguments), *taken
        return None

    def _remember(self, steps: list[Step]) -> None:
        """Keep the run if its state has a new shape, or if it is a shorter way to one."""
        if self.machine.pending or len(steps) > DEEPEST:
            return  # where an operation waits is not in the tables
        shape = self.shapes.of(self.machine.state)
        known = self._by_shape.get(shape)
        if known is None:
            self._by_shape[shape] = mark = _Landmark(copy_of(self.design, self.machine.state), Run(self._run.initial, tuple(steps)))
            self.landmarks.append(mark)
        elif len(steps) < len(known.run.steps):
            known.state, known.run = copy_of(self.design, self.machine.state), Run(self._run.initial, tuple(steps))


def _by_operation(instances: Sequence[Instance]) -> list[list[Instance]]:
    kinds: dict[str, list[Instance]] = {}
    for op, arguments in instances:
        kinds.setdefault(op.name, []).append((op, arguments))
    return list(kinds.values())


def campaign(design: Outline, geometry: Geometry, *, seconds: float = 5.0, runs: int | None = None, start: int = 0,
             first: int = 0, deepest: int | None = None) -> Campaign:
    """Random runs until the time or the number is up, or a law is broken; what broke it is shrunk.

    ``start`` is the seed. With ``deepest``, no run is longer than that.
    ``first`` is the number of the first batch: whoever runs batch 7 runs the same.
    """
    began, number, done = time.perf_counter(), first, 0
    applied: Counter[str] = Counter()
    met: set[Law] = set()
    steps, failure = 0, None
    gc.disable()  # steps make no cycles, and looking for some costs a tenth of the time
    try:
        while failure is None and (runs is None or done < runs) and time.perf_counter() - began <= seconds:
            search = Search(design, geometry, f"{start} {number}", applied, deepest)
            for _ in range(BATCH if runs is None else min(BATCH, runs - done)):
                failure, done = search.run(), done + 1
                if failure is not None or time.perf_counter() - began > seconds:
                    break
            number, steps = number + 1, steps + search.steps
            met |= search.machine.met
    finally:
        gc.enable()
    found = None if failure is None else shortened(design, geometry, failure)
    return Campaign(found, done, steps, time.perf_counter() - began, applied, frozenset(met))


def together(campaigns: Sequence[Campaign]) -> Campaign:
    """Several campaigns as one: the failure is that of the first which has one, and what came after it does not count."""
    stop = next((i + 1 for i, each in enumerate(campaigns) if each.failure is not None), len(campaigns))
    counted = campaigns[:stop]
    applied: Counter[str] = Counter()
    for each in counted:
        applied += each.applied
    return Campaign(counted[-1].failure if counted else None, sum(c.runs for c in counted), sum(c.steps for c in counted),
                    sum(c.seconds for c in counted), applied, frozenset().union(*(c.met for c in counted)))


# ---------------------------------------------------------------- for pytest suites


AHEAD = 25_000
"""Steps that are searched beforehand for states that a rule machine starts from."""
SHRINKING = 20_000
"""Steps that Hypothesis may take to shrink a run; after that it keeps the shortest that it has."""


@attrs.frozen
class Taken:
    """A step that Hypothesis draws; it is printed as the call that it is."""

    op: Operation
    arguments: tuple[Any, ...]
    answers: tuple[Any, ...]
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text)


@attrs.frozen
class Start:
    """Where a run starts."""

    run: Run
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.text)


class _Rules(RuleBasedStateMachine):
    """What every rule machine shares."""

    design: Outline
    geometry: Geometry
    ready: list[Start]
    spent = 0
    """Steps taken since a law was first broken."""
    shortest: Run | None = None
    """The shortest failing run so far: when no more is spent on shrinking, this one alone still fails."""
    message = ""
    """What is said of a failure; made once, since it has a shrinking of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(self.design, self.geometry)
        self.found: Broken | None = None
        self.steps: list[Step] = []
        self._applies: dict[str, bool] = {}

    @classmethod
    def prepared(cls) -> list[Start]:
        """The states that runs start from: power-on, and some that runs get to. Found once, and always the same."""
        if not cls.ready:
            cls.ready += starts_of(cls.design, cls.geometry)
        return cls.ready

    def start_at(self, start: Start) -> None:
        self.machine.power_on(recorded(start.run.initial))
        self.found = self.machine.broken(None, (), None)
        for step in start.run.steps:
            self._judged(step, self.machine.step(step))

    def _judged(self, step: Step, outcome: Any) -> None:
        op = next((o for o in self.design.operations if o.name == step.operation), None)
        self.steps.append(step)
        op = op or Operation(RESUME, replay, (), None, False, False)
        self.found = self.found or self.machine.broken(op, step.arguments, outcome)
        self.machine.settle()
        self._applies.clear()
        if type(self).shortest is not None:
            type(self).spent += 1

    def applies(self, instances: list[Instance]) -> bool:
        """Whether an operation applies now, with the first answers to what it asks."""
        op = instances[0][0]
        if self.found is not None or op.split or op.name == RESUME:
            return self.found is None
        if op.name not in self._applies:
            self._applies[op.name] = any(self._trial(o, a, 0) is not None for o, a in instances)
        return self._applies[op.name]

    def _trial(self, op: Operation, arguments: tuple[Any, ...], code: int) -> Step | None:
        """The step if it applies; it is undone."""
        taken = self.machine.attempt(op, arguments, mixer(code))
        self.machine.undo()
        return taken[0] if taken else None

    def drawn(self, instances: list[Instance], at: int, code: int) -> Taken:
        """The step that numbers name: of the arguments from ``at`` on, the first with which the operation applies."""
        for answers in dict.fromkeys((code, 0)):
            for i in range(len(instances)):
                op, arguments = instances[at - i]
                if op.split or op.name == RESUME:  # what goes on cannot be undone
                    return Taken(op, arguments, (), call(self.design, Step(op.name, arguments)))
                step = self._trial(op, arguments, answers)
                if step is not None:
                    return Taken(op, arguments, step.answers, call(self.design, step))
        op, arguments = instances[at]
        return Taken(op, arguments, (), call(self.design, Step(op.name, arguments)))

    def take(self, taken: Taken) -> None:
        done = self.machine.attempt(taken.op, taken.arguments, recorded(taken.answers))
        if done is not None:
            self._judged(*done)

    def check(self) -> None:
        """Fail if a law is broken, with the run in words."""
        if self.found is None:
            return
        cls, run = type(self), Run(self.machine.initial_answers, tuple(self.steps))
        if not cls.message:
            cls.message = _message(self.design, self.geometry, Failure(run, self.found))
        best = cls.shortest
        if best is None or (cls.spent < SHRINKING and len(run.steps) <= len(best.steps)):
            cls.shortest = best = run
        if cls.spent < SHRINKING or run == best:
            raise AssertionError(cls.message)


def _message(design: Outline, geometry: Geometry, failure: Failure) -> str:
    """The shortest run that is found from a failing one: the law, the steps, and how to see them again."""
    short = shortened(design, geometry, failure)
    told = list(replay(design, geometry, short.run))
    spec = spec_of_class(design.cls)
    token = f"refmodel replay {encode(spec, design, geometry, short.run)}" if spec else "(a class in a function has no token)"
    return "\n".join([broken_text(short.broken), trace_text(design, told), token])


def spec_of_class(cls: type) -> str | None:
    """How a class is named in a token; None if nobody can load it by a name."""
    if "<locals>" in cls.__qualname__ or "." in cls.__qualname__:
        return None
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if cls.__module__.split(".")[0] == "refmodel" or file is None:
        return f"{cls.__module__}:{cls.__qualname__}"
    return f"{Path(file).resolve()}:{cls.__qualname__}"


def starts_of(design: Outline, geometry: Geometry, steps: int = AHEAD) -> list[Start]:
    """States of different shapes, each with the run to it, power-on first. If a run breaks a law, only that run, without its last
    step and with it: Hypothesis is to find it on its own, and not to miss it."""
    search = Search(design, geometry, "rules")
    start = Machine(design, geometry)
    start.power_on(lambda options: options[0])

    def after(run: Run) -> Start:
        return Start(run, "power on" + "".join(f", {call(design, step)}" for step in run.steps))

    power_on = after(Run(start.initial_answers, ()))
    while search.steps < steps:
        before = search.steps
        failure = search.run()
        if failure is not None:
            short = shortened(design, geometry, failure).run
            return [power_on, *([after(Run(short.initial, short.steps[:-1])), after(short)] if short.steps else [])]
        if search.steps == before and not search.landmarks:
            break  # nothing applies
    return [power_on, *(after(m.run) for m in sorted(search.landmarks, key=lambda m: len(m.run.steps)))]


def rule_machine(design: Outline, geometry: Geometry) -> type[RuleBasedStateMachine]:
    """A Hypothesis state machine for a pytest suite: each operation is a rule, and laws are invariants.

        TestEpt = rule_machine(outline(Ept), Ept.geometry).TestCase

    Runs start at power-on, or in a state that a search got to beforehand. That search has a fixed seed, so that Hypothesis can
    replay.
    """
    body: dict[str, Any] = {"design": design, "geometry": geometry, "ready": []}

    def starts(self: Any, after: Start) -> None:
        self.start_at(after)

    def laws_hold(self: Any) -> None:
        self.check()

    body["starts"] = initialize(after=st.runner().flatmap(lambda self: st.sampled_from(self.prepared())))(starts)
    body["laws_hold"] = invariant()(laws_hold)
    for instances in _by_operation(Machine(design, geometry).instances()):
        body[instances[0][0].name.replace(" ", "_")] = _rule(instances)
    rules: type[RuleBasedStateMachine] = type(f"{design.name}Rules", (_Rules,), body)
    return rules


def _rule(instances: list[Instance]) -> Any:
    """The rule for one operation."""
    def act(self: Any, step: Taken) -> None:
        self.take(step)

    act.__name__ = instances[0][0].name.replace(" ", "_")
    codes = st.tuples(st.runner(), st.integers(0, len(instances) - 1), st.integers(0, 255))
    drawn = rule(step=codes.map(lambda c: c[0].drawn(instances, c[1], c[2])))(act)
    return precondition(lambda self: self.applies(instances))(drawn)


def mixer(code: int) -> Pick:
    """Answers that a small number decides; from zero all are the first."""
    state = [code]

    def pick(options: Sequence[Any]) -> Any:
        if state[0] == 0:
            return options[0]
        state[0] = (state[0] * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF
        return options[(state[0] >> 13) % len(options)]

    return pick


__all__ = ["BATCH", "Campaign", "Search", "campaign", "rule_machine", "together"]
