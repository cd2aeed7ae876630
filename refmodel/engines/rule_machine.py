"""Random runs for people's own pytest suites: Hypothesis draws, shrinks and replays, and every law is judged after every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from refmodel.engines.broken_runs import BrokenRun, spec_of_class
from refmodel.engines.compiled.exploring import Search as Exploring
from refmodel.engines.compiled.walking import Walks
from refmodel.engines.exhaustive import compiled
from refmodel.engines.machine import RESUME, Broken, Failure, Machine, Pick, Run, Step, recorded
from refmodel.engines.random import Instance, Search, by_operation
from refmodel.engines.shrink import shortened
from refmodel.engines.words import call
from refmodel.language.design import Design, Operation, Outline, outline
from refmodel.language.kept import forget
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import BadDesign

AHEAD = 8_000
"""Steps on ints that are searched beforehand for states that a rule machine starts from."""
EXPLORED = 100_000
"""Steps in compiled code after which exploration goes no deeper: what has few states is explored to the end."""
FURTHER = 1_500_000
"""Steps of random runs in compiled code that are searched for a law that is broken, if those on ints break none."""
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
    instances: dict[str, list[Instance]]
    """By operation: the arguments that there are in the geometry."""
    ready: list[Start]
    further: list[tuple[Geometry, dict[str, list[Instance]]]]
    """The other geometries that a law may be broken in, and what there is in them."""
    spent = 0
    """Steps taken since a law was first broken."""
    shortest: Run | None = None
    """The shortest failing run so far: when no more is spent on shrinking, this one alone still fails."""
    message = ""
    """What is said of a failure; made once, since it has a shrinking of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared()
        self.machine = Machine(self.design, self.geometry)
        self.found: Broken | None = None
        self.steps: list[Step] = []
        self._applies: dict[str, bool] = {}

    @classmethod
    def prepared(cls) -> list[Start]:
        """The states that runs start from: power-on, and some that runs get to. Found once, and always the same. Where a law is
        broken in a further geometry only, runs are of that one."""
        if not cls.ready:
            failure, cls.ready = starts_of(cls.design, cls.geometry)
            for geometry, instances in cls.further if failure is None else ():
                failure, ready = starts_of(cls.design, geometry)
                if failure is not None:
                    cls.geometry, cls.instances, cls.ready = geometry, instances, ready
                    break
        return cls.ready

    def start_at(self, start: Start) -> None:
        self.machine.power_on(recorded(start.run.initial))
        self.found = self.machine.broken(None, (), None)
        for step in start.run.steps:
            self._judged(step, self.machine.step(step))

    def _judged(self, step: Step, outcome: Any) -> None:
        self.steps.append(step)
        self.found = self.found or self.machine.broken_by(step, outcome)
        self.machine.settle()
        self._applies.clear()
        if type(self).shortest is not None:
            type(self).spent += 1

    def applies(self, name: str) -> bool:
        """Whether an operation applies now, with the first answers to what it asks."""
        instances = self.instances.get(name, [])
        if not instances:
            return False
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

    def drawn(self, name: str, at: int, code: int) -> Taken:
        """The step that numbers name: of the arguments from ``at`` on, the first with which the operation applies."""
        instances = self.instances[name]
        at %= len(instances)
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
    return str(BrokenRun(design, geometry, shortened(design, geometry, failure), spec_of_class(design.cls)))


def starts_of(design: Outline, geometry: Geometry, steps: int = AHEAD) -> tuple[Failure | None, list[Start]]:
    """A run that breaks a law, if one is found, and states of different shapes, each with the run to it, power-on first. Of a run
    that breaks a law there are these only: without its last step and with it. Hypothesis is to find it on its own, and not to miss
    it."""
    search = Search(design, geometry, "rules")
    start = Machine(design, geometry)
    start.power_on(lambda options: options[0])

    def after(run: Run) -> Start:
        return Start(run, "power on" + "".join(f", {call(design, step)}" for step in run.steps))

    power_on, failure = after(Run(start.initial_answers, ())), None
    while search.steps < steps:
        before = search.steps
        failure = search.run()
        if failure is not None or (search.steps == before and not search.landmarks):
            break
    failure = failure or _further(design, geometry)
    if failure is not None:
        short = shortened(design, geometry, failure).run
        return failure, [power_on, *([after(Run(short.initial, short.steps[:-1])), after(short)] if short.steps else [])]
    return None, [power_on, *(after(m.run) for m in sorted(search.landmarks, key=lambda m: len(m.run.steps)))]


def _further(design: Outline, geometry: Geometry) -> Failure | None:
    """What a search in compiled code finds broken, always the same: in every state if they are few, and else in random runs."""
    native = compiled(design, geometry)
    if native is None:
        return None
    exploring = Exploring(native)
    found = exploring.run(deepest=1)
    while found.steps < EXPLORED and not exploring.is_over and not exploring.is_full:
        found = exploring.run(deepest=exploring.judged + 1)
    if found.complete or found.failure is not None:
        return found.failure
    return Walks(native, "rules").run(seconds=float("inf"), steps=FURTHER)


def rule_machine(design: type[Design] | Outline, geometry: Geometry | None = None) -> type[RuleBasedStateMachine]:
    """A Hypothesis state machine for a pytest suite: each operation is a rule, and laws are invariants.

        TestEpt = rule_machine(Ept).TestCase

    Runs start at power-on, or in a state that a search reached before, the random runs of ``refmodel check``. The search has a
    fixed seed, so that Hypothesis can replay. Without ``geometry``, the design's own is used, or the first of its further
    geometries in which the search breaks a law. Raises ``BadDesign`` if the arguments are no design and no geometry.
    """
    if geometry is not None and not isinstance(geometry, Geometry):
        raise BadDesign(f"geometry: {geometry!r}; expected a Geometry, such as refmodel.geometry(Vm=2, Mfn=4)")
    if not isinstance(design, Outline):
        forget()
        design = outline(design)
    further = design.cls.further_geometries if geometry is None else ()
    geometry = geometry or design.cls.geometry
    there = [(each, _instances(design, each)) for each in (geometry, *further)]
    body: dict[str, Any] = {"design": design, "geometry": geometry, "instances": there[0][1], "further": there[1:], "ready": []}
    most: dict[str, int] = {}
    for _, instances in there:
        for name, of_name in instances.items():
            most[name] = max(most.get(name, 0), len(of_name))

    def starts(self: Any, after: Start) -> None:
        self.start_at(after)

    def laws_hold(self: Any) -> None:
        self.check()

    body["starts"] = initialize(after=st.runner().flatmap(lambda self: st.sampled_from(self.prepared())))(starts)
    body["laws_hold"] = invariant()(laws_hold)
    for name, number in most.items():
        body[f"operation {name}"] = _rule(name, number)  # no attribute of the machine has such a name
    body["operations end"] = _end(list(most))
    rules: type[RuleBasedStateMachine] = type(f"{design.name}Rules", (_Rules,), body)
    return rules


def _instances(design: Outline, geometry: Geometry) -> dict[str, list[Instance]]:
    """The operations with their arguments, by name."""
    return {instances[0][0].name: instances for instances in by_operation(Machine(design, geometry).instances())}


def _rule(name: str, number: int) -> Any:
    """The rule for one operation, with so many arguments at most."""

    def act(self: Any, step: Taken) -> None:
        self.take(step)

    act.__name__ = name.replace(" ", "_")
    codes = st.tuples(st.runner(), st.integers(0, number - 1), st.integers(0, 255))
    drawn = rule(step=codes.map(lambda c: c[0].drawn(name, c[1], c[2])))(act)
    return precondition(lambda self: self.applies(name))(drawn)


def _end(names: Sequence[str]) -> Any:
    """The rule for a state in which no operation applies, where a design may come to rest: Hypothesis wants one to take."""

    def no_operation_applies(self: Any) -> None:
        pass

    return precondition(lambda self: not any(map(self.applies, names)))(rule()(no_operation_applies))


def mixer(code: int) -> Pick:
    """Answers that a small number decides; from zero all are the first."""
    state = [code]

    def pick(options: Sequence[Any]) -> Any:
        if state[0] == 0:
            return options[0]
        state[0] = (state[0] * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF
        return options[(state[0] >> 13) % len(options)]

    return pick


__all__ = ["mixer", "rule_machine"]
