"""Every state that a design can reach in a stated small geometry, breadth first, up to the names of things.

Whole layers are taken at once (``columns``), and states that differ only in names are one (``symmetry``). What is found is
therefore found at its least depth, and a search that ends has seen everything there is in that geometry.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.engines.columns import Columns, Layout, Matrix, Narrow
from refmodel.engines.machine import Machine, Run, recorded
from refmodel.engines.random import Failure
from refmodel.engines.symmetry import Symmetry, Words
from refmodel.language.asking import Fault, Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.forks import Forks
from refmodel.language.joining import joined
from refmodel.language.kinds import NOTHING, Geometry
from refmodel.language.laws import Law
from refmodel.language.opaque import Opaque
from refmodel.language.unsound import BadDesign

CHUNK = 1 << 14
"""States taken at once: enough to make the text's own time small, few enough to stay in the caches."""

Instance = tuple[Operation, tuple[Any, ...]]
Progress = Callable[[int, int], None]


@attrs.frozen
class Exploration:
    """What an exploration covered, and what it found."""

    failure: Failure | None
    complete: bool
    """Whether it went to the last state."""
    states: int
    """All states, those that differ only in names counted apart."""
    classes: int
    """Classes of states that differ only in names."""
    steps: int
    depth: int
    seconds: float
    applied: Counter[str]
    met: frozenset[Law]


@attrs.define
class _Node:
    """How each class was first reached: from which, by what."""

    parents: list[npt.NDArray[np.int64]] = attrs.field(factory=list)
    ways: list[npt.NDArray[np.int32]] = attrs.field(factory=list)
    answers: dict[tuple[int, tuple[Any, ...]], int] = attrs.field(factory=dict)
    labels: list[tuple[int, tuple[Any, ...]]] = attrs.field(factory=list)

    def way(self, instance: int, answers: tuple[Any, ...]) -> int:
        """A small number for a step."""
        label = instance, answers
        if label not in self.answers:
            self.answers[label] = len(self.labels)
            self.labels.append(label)
        return self.answers[label]


@attrs.frozen
class _Found:
    """New states of one path: their columns, sums and keys, and where they come from."""

    matrix: Matrix
    sums: Words
    keys: Words
    parents: npt.NDArray[np.int64]
    way: int


class _Stop(Exception):
    """A law is broken: by this state's step, or in this state."""

    def __init__(self, parent: int, way: int) -> None:
        self.parent, self.way = parent, way
        super().__init__()


class Explorer:
    """One exploration under way."""

    def __init__(self, design: Outline, geometry: Geometry, seed: int = 1) -> None:
        if any(op.split for op in design.operations):
            raise BadDesign("split operations are explored step by step; use engines.stepwise")
        self.design, self.geometry = design, geometry
        self.layout = Layout(design, geometry)
        self.symmetry = Symmetry(self.layout, seed)
        machine = Machine(design, geometry)
        self.instances = machine.instances()
        self.laws = [(law, list(itertools.product(*(machine.values(k) for _, k in law.names)))) for law in design.laws]
        self.nodes = _Node()
        self.seen: Words = np.zeros(0, dtype=np.uint64)
        self.applied: Counter[str] = Counter()
        self.met: set[Law] = set()
        self.steps = self.states = self.depth = 0
        self.initial: list[tuple[Any, ...]] = []

    # ------------------------------------------------------------ the search

    def run(self, seconds: float | None = None, progress: Progress | None = None) -> Exploration:
        """Breadth first, to the last state, to the first broken law, or until the time is up."""
        began, failure, complete = time.perf_counter(), None, True
        try:
            with joined(self.design):
                layer = self._first_layer()
                while layer is not None:
                    if progress:
                        progress(self.depth, len(self.seen))
                    if seconds is not None and time.perf_counter() - began > seconds:
                        complete = False
                        break
                    layer = self._next_layer(*layer)
        except _Stop as stop:
            failure, complete = self._failure(stop), False
        return Exploration(failure, complete, self.states, len(self.seen), self.steps, self.depth,
                           time.perf_counter() - began, self.applied, frozenset(self.met))

    def _first_layer(self) -> tuple[Matrix, Words, npt.NDArray[np.int64]] | None:
        columns = []
        for answers in self._power_on():
            machine = Machine(self.design, self.geometry)
            machine.power_on(recorded(answers))
            columns.append(self.layout.column(machine.state))
            self.initial.append(machine.initial_answers)
        matrix = np.concatenate(columns, axis=1)
        sums = self.symmetry.sums(matrix)
        found = _Found(matrix, sums, self.symmetry.keys(sums), -1 - np.arange(matrix.shape[1], dtype=np.int64), -1)
        return self._admit([found])

    def _power_on(self) -> Iterator[tuple[Any, ...]]:
        """Every content of the tables that nobody knows."""
        machine = Machine(self.design, self.geometry)
        options = [machine.values(kind.value) for name in self.design.cls.arbitrary
                   for kind in [self.design.table(name)] for _ in kind.all_keys(self.geometry)]
        return itertools.product(*options)

    def _next_layer(self, matrix: Matrix, sums: Words, ids: npt.NDArray[np.int64]
                    ) -> tuple[Matrix, Words, npt.NDArray[np.int64]] | None:
        self.depth += 1
        found: list[_Found] = []
        for start in range(0, matrix.shape[1], CHUNK):
            part = slice(start, start + CHUNK)
            found += self._distinct(self._successors(np.ascontiguousarray(matrix[:, part]), sums[part], ids[part]))
        return self._admit(found)

    def _distinct(self, found: Iterator[_Found]) -> list[_Found]:
        """Each new class once."""
        kept = list(found)
        if not kept:
            return []
        keys = np.concatenate([f.keys for f in kept])
        _, first = np.unique(keys, return_index=True)
        wanted = np.zeros(len(keys), dtype=np.bool_)
        wanted[first] = True
        result, at = [], 0
        for f in kept:
            mine = wanted[at:at + len(f.keys)]
            at += len(f.keys)
            if mine.any():
                result.append(_Found(f.matrix[:, mine], f.sums[mine], f.keys[mine], f.parents[mine], f.way))
        return result

    def _admit(self, found: list[_Found]) -> tuple[Matrix, Words, npt.NDArray[np.int64]] | None:
        """Number the new states, judge them, and remember them."""
        found = self._distinct(iter(found))
        if not found:
            return None
        matrix = np.concatenate([f.matrix for f in found], axis=1)
        sums, keys = np.concatenate([f.sums for f in found]), np.concatenate([f.keys for f in found])
        ids = np.arange(len(self.seen), len(self.seen) + len(keys), dtype=np.int64)
        parents = np.concatenate([f.parents for f in found])
        ways = np.concatenate([np.full(len(f.keys), f.way, dtype=np.int32) for f in found])
        self.nodes.parents.append(parents)
        self.nodes.ways.append(ways)
        self.states += int(self.symmetry.sizes(sums).sum())
        self.seen = np.sort(np.concatenate([self.seen, keys]))
        for start in range(0, matrix.shape[1], CHUNK):
            bad = self._judge(matrix[:, start:start + CHUNK])
            if bad is not None:
                raise _Stop(int(parents[start + bad]), int(ways[start + bad]))
        return matrix, sums, ids

    # ------------------------------------------------------------ one step of many states

    def _successors(self, matrix: Matrix, sums: Words, ids: npt.NDArray[np.int64]) -> Iterator[_Found]:
        for number, (op, arguments) in enumerate(self.instances):
            yield from self._paths(number, op, arguments, matrix, sums, ids, narrow=matrix.shape[1] > 64)

    def _paths(self, number: int, op: Operation, arguments: tuple[Any, ...], matrix: Matrix, sums: Words,
               ids: npt.NDArray[np.int64], narrow: bool) -> Iterator[_Found]:
        columns = Columns(self.layout, matrix)
        with answering(columns):
            for _ in columns.forks.paths():
                columns.begin()
                columns.may_narrow = narrow
                try:
                    outcome = op.method(columns.state, *arguments)
                except Refused:
                    continue
                except Narrow:
                    alive = np.flatnonzero(columns.alive)
                    yield from self._narrowed(number, op, arguments, matrix, sums, ids, columns, alive)
                    continue
                except Fault as fault:
                    outcome = fault
                columns.may_narrow = False
                yield from self._outcome(number, op, arguments, outcome, columns, sums, ids)

    def _narrowed(self, number: int, op: Operation, arguments: tuple[Any, ...], matrix: Matrix, sums: Words,
                  ids: npt.NDArray[np.int64], columns: Columns, alive: npt.NDArray[np.intp]) -> Iterator[_Found]:
        """Go on with the states that are left, from the decisions taken so far."""
        part = np.ascontiguousarray(matrix[:, alive])
        yield from self._paths(number, op, arguments, part, sums[alive], ids[alive], narrow=len(alive) > 64)

    def _outcome(self, number: int, op: Operation, arguments: tuple[Any, ...], outcome: Any, columns: Columns,
                 sums: Words, ids: npt.NDArray[np.int64]) -> Iterator[_Found]:
        """The states at the end of one path."""
        rows = np.flatnonzero(columns.alive)
        self.steps += len(rows)
        self.applied[op.name] += len(rows)
        way = self.nodes.way(number, tuple(columns.answers))
        bad = self._judge_step(columns, op, arguments, outcome)
        if bad is not None:
            raise _Stop(int(ids[bad]), way)
        after, keys = self._sums_after(columns, rows, sums)
        new = self._unseen(keys)
        if not new.any():
            return
        rows = rows[new]
        matrix = columns.matrix[:, rows]
        for row, column in columns.written.items():
            matrix[row] = column[rows] if isinstance(column, np.ndarray) and column.ndim else column
        yield _Found(matrix, after[new], keys[new], ids[rows], way)

    def _sums_after(self, columns: Columns, rows: npt.NDArray[np.intp], sums: Words) -> tuple[Words, Words]:
        after = sums[rows]
        touched = sorted({int(self.symmetry.fact_of_row[row]) for row in columns.written})
        for fact in touched:
            old = self.symmetry.codes(fact, columns.matrix.__getitem__)[rows]
            new = np.broadcast_to(self.symmetry.codes(fact, lambda n: columns.row(n, True)), columns.width)[rows]
            changed = np.flatnonzero(old != new)
            if len(changed):
                after[changed] += self.symmetry.difference(fact, old[changed], new[changed])
        return after, self.symmetry.keys(after)

    def _unseen(self, keys: Words) -> npt.NDArray[np.bool_]:
        if not len(self.seen):
            return np.ones(len(keys), dtype=np.bool_)
        at = np.searchsorted(self.seen, keys)
        at[at == len(self.seen)] = 0
        return self.seen[at] != keys

    # ------------------------------------------------------------ judging

    def _judge(self, matrix: Matrix) -> int | None:
        """The number of a state in which a law about states does not hold."""
        columns = Columns(self.layout, np.ascontiguousarray(matrix))
        with answering(columns):
            for law, names in self.laws:
                if law.about:
                    continue
                bad = self._violated(columns, law, names, {})
                if bad is not None:
                    return bad
        return None

    def _judge_step(self, columns: Columns, op: Operation, arguments: tuple[Any, ...], outcome: Any) -> int | None:
        """The number of a state in which this step breaks a law about steps."""
        actor = op.actor(arguments)
        given = {"before": columns.before, "outcome": outcome, "actor": NOTHING if actor is None else actor}
        for law, names in self.laws:
            if law.about and law.applies_to(type(outcome) if outcome is not None else None):
                bad = self._violated(columns, law, names, given)
                if bad is not None:
                    return bad
        return None

    def _violated(self, columns: Columns, law: Law, names: list[tuple[Any, ...]], given: dict[str, Any]) -> int | None:
        columns.premises = False
        for values in names:
            holds = columns.fold(law.function, columns.state, *law.arguments(given, values))
            bad = columns.alive & ~np.asarray(holds)
            if bad.any():
                return int(np.flatnonzero(bad)[0])
        if columns.premises:
            self.met.add(law)
        return None

    # ------------------------------------------------------------ telling

    def _failure(self, stop: _Stop) -> Failure:
        """The steps from power-on, run again on ints: what is shown is what happens."""
        parents = np.concatenate(self.nodes.parents) if self.nodes.parents else np.zeros(0, dtype=np.int64)
        ways = np.concatenate(self.nodes.ways) if self.nodes.ways else np.zeros(0, dtype=np.int32)
        labels, at = [], stop.parent
        if stop.way >= 0:
            labels.append(self.nodes.labels[stop.way])
        while at >= 0:
            if ways[at] >= 0:
                labels.append(self.nodes.labels[ways[at]])
            at = int(parents[at])
        machine = Machine(self.design, self.geometry)
        machine.power_on(recorded(self.initial[-1 - at]))
        broken, steps = machine.broken(None, (), None), []
        for number, answers in reversed(labels):
            if broken is not None:
                break
            op, arguments = self.instances[number]
            taken = machine.attempt(op, arguments, recorded(answers))
            if taken is None:
                raise AssertionError(f"{op.name}{arguments} applies on columns and not on ints")
            steps.append(taken[0])
            broken = machine.broken(op, arguments, taken[1])
            machine.settle()
        if broken is None:
            raise AssertionError("what was found on columns does not break a law on ints")
        return Failure(Run(machine.initial_answers, tuple(steps)), broken)


def explore(design: Outline, geometry: Geometry, *, seconds: float | None = None, seed: int = 1,
            progress: Progress | None = None) -> Exploration:
    """Explore a design in a geometry."""
    return Explorer(design, geometry, seed).run(seconds, progress)


__all__ = ["Exploration", "Explorer", "Forks", "Opaque", "explore"]
