"""Random runs, drawn and shrunk by Hypothesis, in two forms.

``campaign`` draws bytes: each picks one of the steps that apply now, and zero means none, so that what is found
shrinks to a few steps. It is the form for depth and speed. ``rule_machine`` makes a RuleBasedStateMachine for people's own
pytest suites. Both judge every law after every step.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from refmodel.engines.machine import Broken, Failure, Machine, Pick, Run, Step
from refmodel.engines.shrink import shortened
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import Geometry
from refmodel.language.laws import Law


@attrs.frozen
class Campaign:
    """What a campaign did: its verdict and its coverage."""

    failure: Failure | None
    runs: int
    steps: int
    seconds: float
    applied: Counter[str]
    met: frozenset[Law]


FEW = 4
"""How many arguments an operation is tried with before it is another's turn; what applies seldom is tried in full last."""


class _Found(Exception):
    """Raised inside Hypothesis to make it shrink."""


class Drawn:
    """A run that bytes decide."""

    def __init__(self, design: Outline, geometry: Geometry) -> None:
        self.design, self.geometry = design, geometry
        self.kinds = _by_operation(Machine(design, geometry).instances())
        self.applied: Counter[str] = Counter()
        self.met: set[Law] = set()
        self.steps = self.runs = 0
        self.width = 1 if sum(map(len, self.kinds)) < 200 else 2

    def run(self, data: bytes) -> Failure | None:
        """Run what the bytes say, to the first broken law."""
        self.runs += 1
        machine, width = Machine(self.design, self.geometry), self.width
        machine.power_on(_mixer(data[0] if data else 0))
        steps: list[Step] = []
        broken = machine.broken(None, (), None)
        position = 1
        while broken is None and position + width <= len(data):
            code = int.from_bytes(data[position:position + width], "big")
            position += width
            if code == 0:
                continue
            taken = self.take(machine, code - 1)
            if taken is None:
                break
            step, broken = taken
            steps.append(step)
            machine.settle()
        self.steps += len(steps)
        self.met |= machine.met
        return None if broken is None else Failure(Run(machine.initial_answers, tuple(steps)), broken)

    def take(self, machine: Machine, code: int) -> tuple[Step, Broken | None] | None:
        """The first step that applies, starting with the operation and arguments that the code names."""
        kinds = self.kinds
        arguments_code, first = divmod(code, len(kinds))
        pick = _mixer(arguments_code)
        for tries in (range(FEW), range(FEW, 1 << 30)):
            for i in range(len(kinds)):
                instances = kinds[(first + i) % len(kinds)]
                at = arguments_code * 7 % len(instances)
                for j in range(tries.start, min(tries.stop, len(instances))):
                    op, arguments = instances[at - j]
                    taken = machine.attempt(op, arguments, pick)
                    if taken is not None:
                        self.applied[op.name] += 1
                        return taken[0], machine.broken(op, arguments, taken[1])
        return None


def _by_operation(instances: list[tuple[Operation, tuple[Any, ...]]]) -> list[list[tuple[Operation, tuple[Any, ...]]]]:
    kinds: dict[str, list[tuple[Operation, tuple[Any, ...]]]] = {}
    for op, arguments in instances:
        kinds.setdefault(op.name, []).append((op, arguments))
    return list(kinds.values())


def _mixer(code: int) -> Pick:
    """Answers that a small number decides; from zero all are the first."""
    state = [code]

    def pick(options: Sequence[Any]) -> Any:
        if state[0] == 0:
            return options[0]
        state[0] = (state[0] * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF
        return options[(state[0] >> 13) % len(options)]

    return pick


BATCH = 400
"""Runs that are drawn together, and that one seed decides."""


def campaign(design: Outline, geometry: Geometry, *, seconds: float = 5.0, runs: int = 100_000, length: int = 60,
             start: int = 0, first: int = 0) -> Campaign:
    """Random runs until the time or the number is up, or a law is broken; what broke it is shrunk. ``first`` is the number of the
    first batch: whoever runs batch 7 runs the same."""
    drawn, began = Drawn(design, geometry), time.perf_counter()
    failure: list[Failure] = []

    def go(data: bytes) -> None:
        if not failure and time.perf_counter() - began > seconds:
            return
        found = drawn.run(data)
        if found is not None:
            failure.append(found)
            raise _Found

    size = 1 + length * drawn.width
    for number in range(first, first + max(1, runs // BATCH)):
        if failure or time.perf_counter() - began > seconds:
            break
        test = settings(max_examples=BATCH, database=None, deadline=None, verbosity=Verbosity.quiet,
                        phases=(Phase.generate, Phase.shrink), report_multiple_bugs=False,
                        suppress_health_check=list(HealthCheck), print_blob=False)(
            seed(start * 1_000_003 + number)(given(st.binary(min_size=size, max_size=size))(go)))
        gc.disable()  # steps make no cycles, and looking for some costs a tenth of the time
        try:
            test()
        except _Found:
            break
        finally:
            gc.enable()
    found = shortened(design, geometry, failure[-1]) if failure else None
    return Campaign(found, drawn.runs, drawn.steps, time.perf_counter() - began,
                    drawn.applied, frozenset(drawn.met))


def together(campaigns: Sequence[Campaign]) -> Campaign:
    """Several campaigns as one: the failure is that of the first which has one, and what came after it does not count."""
    stop = next((i + 1 for i, each in enumerate(campaigns) if each.failure is not None), len(campaigns))
    counted = campaigns[:stop]
    applied: Counter[str] = Counter()
    for each in counted:
        applied += each.applied
    return Campaign(counted[-1].failure if counted else None, sum(c.runs for c in counted), sum(c.steps for c in counted),
                    sum(c.seconds for c in counted), applied, frozenset().union(*(c.met for c in counted)))


def rule_machine(design: Outline, geometry: Geometry) -> type[RuleBasedStateMachine]:
    """A Hypothesis state machine for a pytest suite: operations are rules that apply now, laws are invariants.

        TestEpt = rule_machine(outline(Ept), Ept.geometry).TestCase
    """
    instances = Machine(design, geometry).instances()

    class Rules(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.machine = Machine(design, geometry)
            self.found: Broken | None = None

        @initialize(code=st.integers(0, 255))
        def power_on(self, code: int) -> None:
            self.machine.power_on(_mixer(code))
            self.found = self.machine.broken(None, (), None)

        @precondition(lambda self: self.found is None)
        @rule(data=st.data())
        def step(self, data: st.DataObject) -> None:
            order = data.draw(st.integers(0, len(instances) - 1))
            code = data.draw(st.integers(0, 255))
            for i in range(len(instances)):
                op, arguments = instances[(order + i) % len(instances)]
                taken = self.machine.attempt(op, arguments, _mixer(code))
                if taken is not None:
                    self.found = self.machine.broken(op, arguments, taken[1])
                    self.machine.settle()
                    data.draw(st.just(taken[0]).map(str))
                    return

        @invariant()
        def laws_hold(self) -> None:
            found = self.found
            assert found is None, f"{found.clause}: {found.sentence} Broken for {dict(found.names)}. {found.error}"

    Rules.__name__ = f"{design.name}Rules"
    return Rules
