"""Random runs: a search by itself, for depth and speed.

It remembers one run for each shape of state that it met (``shapes``), and most runs go on from the shape that was gone on from
least. A run may use some of the operations only, and an operation that seldom applied is tried more often. A campaign begins on
ints, and goes on in compiled code (``compiled.walking``) where a design can be compiled. Every law is judged after every step, and
what breaks one is shrunk (``shrink``).
"""

from __future__ import annotations

import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from refmodel.engines.compiled.walking import Walks
from refmodel.engines.exhaustive import compiled
from refmodel.engines.machine import Failure, Machine, Run, Step, copy_of
from refmodel.engines.shapes import Shape, Shapes
from refmodel.engines.shrink import shortened
from refmodel.language.design import Operation, Outline
from refmodel.language.laws import Law
from refmodel.language.sizes import Geometry

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
FEW_RUNS = 150
"""Runs on ints before a design is compiled."""
LEAST = 250_000
"""Steps that are tried in compiled code however little time is left when a design has been compiled: in most designs half of
them or more apply."""
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

    def __init__(
        self,
        design: Outline,
        geometry: Geometry,
        seed: str,
        applied: Counter[str] | None = None,
        deepest: int | None = None,
        machine: Callable[[Outline, Geometry], Machine] = Machine,
    ) -> None:
        """``machine`` makes what runs, and judges it."""
        self.deepest = deepest
        self.design = design
        self.draw = random.Random(seed)
        self.machine = machine(design, geometry)
        self.kinds = by_operation(self.machine.instances())
        self.shapes = Shapes(design)
        self.landmarks: list[_Landmark] = []
        self._by_shape: dict[Shape, _Landmark] = {}
        self.applied: Counter[str] = Counter() if applied is None else applied
        self.steps = 0

    def run(self) -> Failure | None:
        """One run, to its end or to the first broken law."""
        machine, left = self.machine, self._begin()
        self.last = self._run
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
        self.last = Run(self._run.initial, tuple(steps))
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


def by_operation(instances: Sequence[Instance]) -> list[list[Instance]]:
    kinds: dict[str, list[Instance]] = {}
    for op, arguments in instances:
        kinds.setdefault(op.name, []).append((op, arguments))
    return list(kinds.values())


def campaign(
    design: Outline,
    geometry: Geometry,
    *,
    seconds: float = 5.0,
    runs: int | None = None,
    start: int = 0,
    first: int = 0,
    deepest: int | None = None,
    few: int = FEW_RUNS,
) -> Campaign:
    """Random runs until the time or the number is up, or a law is broken; what broke it is shrunk. If there is time for more than
    a few, and the design can be compiled, they go on in compiled code.

    ``start`` is the seed. With ``deepest``, no run is longer than that.
    ``first`` is the number of the first batch: whoever runs batch 7 runs the same. ``few`` runs are on ints before the design is
    compiled, which takes a second in which they may find what is wrong.
    """
    began, number, done = time.perf_counter(), first, 0
    applied: Counter[str] = Counter()
    met: set[Law] = set()
    steps, failure = 0, None
    gc.disable()  # steps make no cycles, and looking for some costs a tenth of the time
    native, compiles = None, runs is None and deepest is None
    try:
        while failure is None and (runs is None or done < runs) and time.perf_counter() - began <= seconds:
            search = Search(design, geometry, f"{start} {number}", applied, deepest)
            for _ in range(few if compiles else BATCH if runs is None else min(BATCH, runs - done)):
                failure, done = search.run(), done + 1
                if failure is not None or time.perf_counter() - began > seconds:
                    break
            number, steps = number + 1, steps + search.steps
            met |= search.machine.met
            native = compiled(design, geometry) if compiles and failure is None else None
            if native is not None:
                break
            compiles = False
    finally:
        gc.enable()
    if native is not None:
        walks = Walks(native, f"{start} {number}")
        failure = walks.run(seconds=seconds - (time.perf_counter() - began), least=LEAST)
        done, steps, met = done + walks.runs, steps + walks.steps, met | walks.met
        applied += walks.applied
    found = None if failure is None else shortened(design, geometry, failure)
    return Campaign(found, done, steps, time.perf_counter() - began, applied, frozenset(met))


def together(campaigns: Sequence[Campaign]) -> Campaign:
    """Several campaigns as one: the failure is that of the first which has one, and what came after it does not count."""
    stop = next((i + 1 for i, each in enumerate(campaigns) if each.failure is not None), len(campaigns))
    counted = campaigns[:stop]
    applied: Counter[str] = Counter()
    for each in counted:
        applied += each.applied
    return Campaign(
        counted[-1].failure if counted else None,
        sum(c.runs for c in counted),
        sum(c.steps for c in counted),
        sum(c.seconds for c in counted),
        applied,
        frozenset().union(*(c.met for c in counted)),
    )


__all__ = ["BATCH", "Campaign", "Search", "by_operation", "campaign", "together"]
