"""Every state that a design can reach in a stated small geometry, breadth first, up to the names of things.

Whole layers are taken at once (``columns``), and states that differ only in names are one (``symmetry``). What is found is
therefore found at its least depth, and a search that ends has seen everything there is in that geometry.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from refmodel.engines.columns import Columns, Narrow, Wrong, as_value
from refmodel.engines.layout import NATURAL_LIMIT, Layout, Matrix
from refmodel.engines.machine import Failure, Machine, Run, Step, recorded
from refmodel.engines.spread import leave_ending_to_the_parent
from refmodel.engines.symmetry import Symmetry, Words
from refmodel.engines.verdicts import ReadingsDisagree
from refmodel.language.asking import Fault, Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.kinds import NOTHING, EnumKind, Geometry, NaturalKind, WordKind, kind_of
from refmodel.language.laws import Law
from refmodel.language.opaque import Opaque, opaque
from refmodel.language.unsound import BadDesign, Unsound

CHUNK = 1 << 13
"""States taken at once: enough to make the text's own time small, few enough to stay in the caches."""

NARROW = 64
"""With fewer states than this under way it does not pay to start again with those that are left."""

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


@attrs.frozen
class _Chunk:
    """What was found from some of a layer's states."""

    found: list[_Found]
    steps: int
    applied: Counter[str]
    met: set[Law]
    labels: list[tuple[int, tuple[Any, ...]]]
    stop: tuple[int, int] | None


class _Inherited:
    """What a process inherits: the whole exploration, as it is."""

    explorer: Explorer

    @staticmethod
    def chunk(start: int) -> _Chunk:
        return _Inherited.explorer._chunk(start)


class _Stop(Exception):
    """A law is broken: by this state's step, or in this state."""

    def __init__(self, parent: int, way: int) -> None:
        self.parent, self.way = parent, way
        super().__init__()


class _TimeIsUp(Exception):
    """In the midst of a layer."""


@attrs.define
class _Group:
    """Steps whose outcomes are of one type: the states after them, where they come from, and what they showed."""

    returns: type | None
    after: Matrix
    rows: npt.NDArray[np.intp]
    actors: npt.NDArray[np.int8]
    ways: npt.NDArray[np.int32]
    outcomes: list[npt.NDArray[np.int8]]

    def outcome_in(self, columns: Columns) -> Any:
        """What the steps returned, as one value in columns."""
        if self.returns is None:
            return None
        if issubclass(self.returns, Fault):
            return self.returns()
        kind = kind_of(self.returns)
        leaves = zip((leaf for _, leaf in kind.leaves()), self.outcomes, strict=True)
        return kind.build(iter([as_value(columns, leaf, row) for leaf, row in leaves]))


class _Taken:
    """The steps taken from a chunk, to be judged together."""

    def __init__(self, matrix: Matrix, ids: npt.NDArray[np.int64]) -> None:
        self.matrix, self.ids = matrix, ids
        self._by_type: dict[type | None, list[_Group]] = {}

    def add(self, op: Operation, arguments: tuple[Any, ...], outcome: Any, rows: npt.NDArray[np.intp],
            origin: npt.NDArray[np.intp], after: Matrix, way: int) -> None:
        """``rows`` are where the outcome's columns hold these steps; ``origin`` where the chunk does."""
        returns = None if outcome is None else type(outcome)
        outcomes = []
        if returns is not None and not issubclass(returns, Fault):
            kind = kind_of(returns)
            for (_, leaf), value in zip(kind.leaves(), kind.flatten(outcome), strict=True):
                term = value.term if isinstance(value, Opaque) else leaf.encode(value)
                column = term[rows] if isinstance(term, np.ndarray) and term.ndim else np.full(len(rows), term)
                if isinstance(leaf, NaturalKind) and bool((column > NATURAL_LIMIT).any()):
                    raise Unsound(f"{op.name} returns a number above {NATURAL_LIMIT}, and exploration keeps none such")
                outcomes.append(column.astype(np.int8))
        actor = op.actor(arguments)
        self._by_type.setdefault(returns, []).append(_Group(
            returns, after, origin, np.full(len(rows), NOTHING if actor is None else actor, dtype=np.int8),
            np.full(len(rows), way, dtype=np.int32), outcomes))

    def groups(self) -> Iterator[_Group]:
        """The steps, by type of outcome."""
        for returns, parts in self._by_type.items():
            yield _Group(returns, np.concatenate([p.after for p in parts], axis=1), np.concatenate([p.rows for p in parts]),
                         np.concatenate([p.actors for p in parts]), np.concatenate([p.ways for p in parts]),
                         [np.concatenate(c) for c in zip(*(p.outcomes for p in parts), strict=True)])


def fits_columns(design: Outline) -> bool:
    """Whether a state is a column of bytes: no operation is split, no table partial, no word wider than a byte holds."""
    leaves = [leaf for table in design.tables for _, leaf in table.value.leaves()]
    leaves += [leaf for op in design.operations if op.returns is not None for _, leaf in kind_of(op.returns).leaves()]
    wide = any((isinstance(leaf, WordKind) and leaf.width > 7) or (isinstance(leaf, EnumKind) and len(leaf.cls) > 127)
               for leaf in leaves)
    return not (wide or any(op.split for op in design.operations) or any(table.partial for table in design.tables))


class Explorer:
    """One exploration under way."""

    def __init__(self, design: Outline, geometry: Geometry, seed: int = 1, processes: int | None = None) -> None:
        if not fits_columns(design):
            raise BadDesign(f"{design.name} has split operations, partial tables or wide words: engines.stepwise explores those")
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
        self.steps = self.states = self.depth = self.total_steps = 0
        self.total_applied: Counter[str] = Counter()
        self.total_met: set[Law] = set()
        self.processes = processes or os.cpu_count() or 1
        self.initial: list[tuple[Any, ...]] = []
        self._until: float | None = None

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
                    self._until = None if seconds is None else began + seconds
                    layer = self._next_layer(*layer)
        except _Stop as stop:
            failure, complete = self._failure(stop), False
        except _TimeIsUp:
            complete = False
        return Exploration(failure, complete, self.states, len(self.seen), self.total_steps, self.depth,
                           time.perf_counter() - began, self.total_applied, frozenset(self.total_met | self.met))

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
        self._judge_states([found])
        self.total_met |= self.met
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
        starts = range(0, matrix.shape[1], CHUNK)
        self._layer = matrix, sums, ids
        if len(starts) < 2 or self.processes < 2:
            results: Iterator[_Chunk] = map(self._chunk, starts)
            for result in results:
                found += self._accept(result)
        else:
            _Inherited.explorer = self
            with multiprocessing.get_context("fork").Pool(self.processes, leave_ending_to_the_parent) as pool:
                for result in pool.imap(_Inherited.chunk, starts):
                    found += self._accept(result)
        return self._admit(found)

    def _chunk(self, start: int) -> _Chunk:
        """All that can be done from some of a layer's states; with several processes, this is what each does."""
        matrix, sums, ids = self._layer
        self.steps, self.applied, self.met = 0, Counter(), set()
        part = slice(start, start + CHUNK)
        chunk = np.ascontiguousarray(matrix[:, part])
        taken = _Taken(chunk, ids[part])
        try:
            found = self._distinct(self._successors(chunk, sums[part], taken))
            self._judge_steps(taken)
            self._judge_states(found)
        except _Stop as stop:
            return _Chunk([], self.steps, self.applied, self.met, self.nodes.labels, (stop.parent, stop.way))
        return _Chunk(found, self.steps, self.applied, self.met, self.nodes.labels, None)

    def _accept(self, chunk: _Chunk) -> list[_Found]:
        """Take over what a process found; it numbered its steps by itself."""
        if chunk.stop is None and self._until is not None and time.perf_counter() > self._until:
            raise _TimeIsUp
        self.total_steps += chunk.steps
        self.total_applied += chunk.applied
        self.total_met |= chunk.met
        if chunk.stop is not None:
            parent, way = chunk.stop
            raise _Stop(parent, self.nodes.way(*chunk.labels[way]))
        return [attrs.evolve(f, way=self.nodes.way(*chunk.labels[f.way])) for f in chunk.found]

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
        """Number the new states, and remember them."""
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
        return matrix, sums, ids

    # ------------------------------------------------------------ one step of many states

    def _successors(self, matrix: Matrix, sums: Words, taken: _Taken) -> Iterator[_Found]:
        everyone = np.arange(matrix.shape[1])
        for number in range(len(self.instances)):
            yield from self._paths(number, matrix, everyone, sums, taken)

    def _paths(self, number: int, matrix: Matrix, chosen: npt.NDArray[np.intp], sums: Words, taken: _Taken
               ) -> Iterator[_Found]:
        """One operation with its arguments, in the chosen states of a chunk, on every path."""
        op, arguments = self.instances[number]
        columns = Columns(self.layout, matrix)
        with answering(columns):
            for _ in columns.forks.paths():
                columns.begin()
                columns.may_narrow = len(chosen) > NARROW
                outcome = None
                try:
                    outcome = op.method(columns.state, *arguments)
                except Refused:
                    continue
                except Narrow:  # few are left: go on with those alone, along all the paths that they take
                    left = np.flatnonzero(columns.alive)
                    columns.forks.prune()
                    yield from self._paths(number, np.ascontiguousarray(matrix[:, left]), chosen[left], sums, taken)
                    continue
                except Fault as fault:
                    outcome = fault
                except Exception as error:  # the monitor aborts: shown by running it on ints
                    row = int(np.flatnonzero(error.rows if isinstance(error, Wrong) else columns.alive)[0])
                    raise _Stop(int(taken.ids[chosen[row]]), self.nodes.way(number, tuple(columns.answers))) from None
                found = self._outcome(number, outcome, columns, chosen, sums, taken)
                if found is not None:
                    yield found

    def _outcome(self, number: int, outcome: Any, columns: Columns, chosen: npt.NDArray[np.intp], sums: Words,
                 taken: _Taken) -> _Found | None:
        """The states at the end of one path: all are judged, and the new ones kept."""
        op, arguments = self.instances[number]
        rows = np.flatnonzero(columns.alive)
        self.steps += len(rows)
        self.applied[op.name] += len(rows)
        way = self.nodes.way(number, tuple(columns.answers))
        matrix = columns.matrix[:, rows]
        for row, column in columns.written.items():
            matrix[row] = column[rows] if isinstance(column, np.ndarray) and column.ndim else column
        taken.add(op, arguments, outcome, rows, chosen[rows], matrix, way)
        after, keys = self._sums_after(columns, rows, sums[chosen[rows]])
        new = self._unseen(keys)
        if not new.any():
            return None
        return _Found(matrix[:, new], after[new], keys[new], taken.ids[chosen[rows[new]]], way)

    def _sums_after(self, columns: Columns, rows: npt.NDArray[np.intp], sums: Words) -> tuple[Words, Words]:
        after = sums
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
        new: npt.NDArray[np.bool_] = self.seen[at] != keys
        return new

    # ------------------------------------------------------------ judging

    def _judge_states(self, found: list[_Found]) -> None:
        """Judge new states by the laws about states."""
        if not found:
            return
        bad = self._judge(np.concatenate([f.matrix for f in found], axis=1))
        if bad is not None:
            parents = np.concatenate([f.parents for f in found])
            ways = np.concatenate([np.full(len(f.keys), f.way) for f in found])
            raise _Stop(int(parents[bad]), int(ways[bad]))

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

    def _judge_steps(self, taken: _Taken) -> None:
        """Judge by the laws about steps every step that was taken, those to known states too."""
        for group in taken.groups():
            columns = Columns(self.layout, group.after)
            columns.load(group.after, taken.matrix[:, group.rows])
            given = {"before": columns.before, "outcome": group.outcome_in(columns),
                     "actor": opaque(columns, self.design.actors, group.actors)}
            with answering(columns):
                for law, names in self.laws:
                    if not law.about or not law.applies_to(group.returns):
                        continue
                    bad = self._violated(columns, law, names, given)
                    if bad is not None:
                        raise _Stop(int(taken.ids[group.rows[bad]]), int(group.ways[bad]))

    def _violated(self, columns: Columns, law: Law, names: list[tuple[Any, ...]], given: dict[str, Any]) -> int | None:
        columns.premises = False
        for values in names:
            try:
                bad = columns.alive & ~np.asarray(columns.fold(law.function, columns.state, *law.arguments(given, values)))
            except Wrong as wrong:
                bad = wrong.rows
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
        broken, steps = machine.broken(None, (), None), list[Step]()
        for number, answers in reversed(labels):
            if broken is not None:
                break
            op, arguments = self.instances[number]
            taken = machine.attempt(op, arguments, recorded(answers))
            if taken is None:
                raise ReadingsDisagree(f"{op.name}{arguments} applies on columns and not on ints, after {steps}.")
            steps.append(taken[0])
            broken = machine.broken(op, arguments, taken[1])
            machine.settle()
        if broken is None:
            raise ReadingsDisagree(f"A run breaks a law on columns, and no law on ints: {steps}.")
        return Failure(Run(machine.initial_answers, tuple(steps)), broken)


def explore(design: Outline, geometry: Geometry, *, seconds: float | None = None, seed: int = 1,
            progress: Progress | None = None) -> Exploration:
    """Explore a design in a geometry."""
    return Explorer(design, geometry, seed).run(seconds, progress)


__all__ = ["Exploration", "Explorer", "explore", "fits_columns"]
