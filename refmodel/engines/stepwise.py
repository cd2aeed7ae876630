"""Exhaustive exploration of designs with split operations: one state after the other, on ints.

Where an operation can be interrupted, its local variables belong to the state. A generator cannot be copied, so each state is
known by the run that first led to it, and is reached again by running that. Slower than ``exhaustive`` by far, and no names are
merged.
"""

from __future__ import annotations

import enum
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from types import FrameType, FunctionType
from typing import Any

import attrs

from refmodel.engines.exploration import Exploration, Progress
from refmodel.engines.machine import RESUME, Failure, Machine, Run, Step, copy_of, recorded
from refmodel.language.design import Operation, Outline
from refmodel.language.laws import Law
from refmodel.language.sizes import Geometry
from refmodel.language.tables import Page

KEPT = 1000
"""States that are kept, in which something may be pending: the first that a search finds."""


def explore_stepwise(
    design: Outline,
    geometry: Geometry,
    *,
    seconds: float | None = None,
    progress: Progress | None = None,
    deepest: int | None = None,
) -> Exploration:
    """Breadth first, to the last state, to the first broken law, until every run of up to ``deepest`` steps is judged, or until the
    time is up."""
    began = time.perf_counter()
    applied: Counter[str] = Counter()
    met: set[Law] = set()
    seen: set[Any] = set()
    todo: deque[Run] = deque()
    visited: list[tuple[Any, Run]] = []
    failure, complete, depth = None, True, 0
    for start in _power_on(design, geometry):
        seen.add(_identity(start))
        todo.append(Run(start.initial_answers, ()))
        visited += _kept(start, todo[-1])
        broken = start.broken(None, (), None)
        met |= start.met
        if broken is not None:
            failure = Failure(todo[-1], broken)
        if seconds is not None and time.perf_counter() - began > seconds:
            complete = False
            break
    while todo and failure is None:
        run = todo.popleft()
        if len(run.steps) > depth:
            depth = len(run.steps)
            if progress:
                progress(depth, len(seen), applied.total())
        if len(run.steps) == deepest or not complete or (seconds is not None and time.perf_counter() - began > seconds):
            complete = False
            break
        for machine, step, op, outcome in _steps(design, geometry, run):
            applied[step.operation] += 1
            longer = Run(run.initial, (*run.steps, step))
            broken = machine.broken(op, step.arguments, outcome)
            met |= machine.met
            if broken is not None:
                failure = Failure(longer, broken)
                break
            identity = _identity(machine)
            if identity not in seen:
                seen.add(identity)
                todo.append(longer)
                visited += _kept(machine, longer) if len(seen) <= KEPT else ()
            if seconds is not None and time.perf_counter() - began > seconds:  # one state may have very many steps
                complete = False
                break
    return Exploration(
        failure,
        complete and failure is None,
        len(seen),
        len(seen),
        applied.total(),
        depth + complete,
        time.perf_counter() - began,
        applied,
        frozenset(met),
        judged=depth,
        visited=tuple(visited),
        whole=len(visited) == len(seen),
    )


def _kept(machine: Machine, run: Run) -> list[tuple[Any, Run]]:
    """A state that was visited, and the run, if it is to be kept: something may be pending, and no split operation is under way."""
    return [(copy_of(machine.design, machine.state), run)] if machine.design.pending and not machine.pending else []


def _power_on(design: Outline, geometry: Geometry) -> Iterator[Machine]:
    yield from every_answer(lambda pick: _started(design, geometry, pick))


def _started(design: Outline, geometry: Geometry, pick: Any) -> Machine:
    machine = Machine(design, geometry)
    machine.power_on(pick)
    return machine


def reached(design: Outline, geometry: Geometry, run: Run) -> Machine:
    """A machine that has taken a run. Raises ``BadDesign`` if the run does not apply."""
    machine = _started(design, geometry, recorded(run.initial))
    for step in run.steps:
        machine.step(step)
        machine.settle()
    return machine


def _steps(design: Outline, geometry: Geometry, run: Run) -> Iterator[tuple[Machine, Step, Operation, Any]]:
    """Every step that applies after a run, each with a machine that has just taken it."""
    spare = reached(design, geometry, run)
    for op, arguments in spare.instances():

        def attempt(pick: Any, op: Operation = op, arguments: tuple[Any, ...] = arguments) -> Any:
            nonlocal spare
            machine = spare
            mine = machine.resuming if op.name == RESUME else op
            taken = machine.attempt(mine, arguments, pick)
            if taken is None and op.name != RESUME and not op.split:
                return None  # nothing has happened: the machine will do again
            spare = reached(design, geometry, run)
            return None if taken is None else (machine, taken[0], mine, taken[1])

        for result in every_answer(attempt):
            if result is not None:
                yield result


def every_answer(run: Any) -> Iterator[Any]:
    """Run with every combination of answers to what is asked on the way."""
    prefixes: list[list[int]] = [[]]
    while prefixes:
        prefix = prefixes.pop()
        sizes: list[int] = []

        def pick(options: Sequence[Any], prefix: list[int] = prefix, sizes: list[int] = sizes) -> Any:
            number = prefix[len(sizes)] if len(sizes) < len(prefix) else 0
            sizes.append(len(options))
            return options[number]

        yield run(pick)
        for at in range(len(prefix), len(sizes)):
            prefixes += [[*prefix, *([0] * (at - len(prefix))), other] for other in range(1, sizes[at])]


def _identity(machine: Machine) -> Any:
    """A state, with what the split operations under way remember."""
    tables = tuple(
        frozenset((key, plain(entry)) for key, entry in getattr(machine.state, t.name).items()) for t in machine.design.tables
    )
    return tables, tuple((each.op.name, each.arguments, _remembered(machine, each.body.gi_frame)) for each in machine.pending)


def _remembered(machine: Machine, frame: FrameType | None) -> tuple[int, Any]:
    """Where an operation waits, and its local variables. (Nothing else is kept: a yield stands in no loop.)"""
    if frame is None:
        return -1, ()
    tables = {id(getattr(machine.state, t.name)): t.name for t in machine.design.tables}
    return frame.f_lasti, tuple(
        sorted(
            (name, tables.get(id(value)) or plain(value)) for name, value in frame.f_locals.items() if value is not machine.state
        )
    )


def plain(value: Any) -> Any:
    """A value as what it is made of: equal for equal values, and for no others, whatever their classes print."""
    if isinstance(value, enum.Enum):
        return type(value).__qualname__, value.name
    if isinstance(value, Page):
        return "page", tuple(sorted(((str(plain(i)), plain(i), plain(c)) for i, c in value.cells.items()), key=lambda x: x[0]))
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if attrs.has(type(value)):
        return type(value).__qualname__, tuple(plain(getattr(value, a.name)) for a in attrs.fields(type(value)))
    if isinstance(value, FunctionType):
        cells = tuple(plain(cell.cell_contents) for cell in value.__closure__ or ())
        return value.__code__.co_filename, value.__code__.co_firstlineno, str(hash(value.__code__)), cells
    return type(value).__name__, value
