"""Unbounded proofs by induction: an operation, run on an arbitrary lawful state, leaves a lawful state.

No quantifier reaches the solver. To prove a law after an operation, the law is denied at arbitrary names, and every law is
assumed beforehand at the *index set*: the names that the run and the denied law look at (Bradley, Manna and Sipma, VMCAI
2006). No solution means that the law is kept for any number of machines, pages and frames. A solution is made into a state on
ints; if that breaks a law the proof may assume, the law's instance is added and the solver asked again; otherwise the operation is
run on it, and must break the law there too. Only then is it shown.
"""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.concretise import Witness, concretise
from refmodel.engines.symbolic import Counted, Lookup, Obligation, Symbolic, Table, Term, constant, sort_of
from refmodel.language.asking import Fault, Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.kinds import NOTHING, FlagKind, NameKind, Scalar
from refmodel.language.laws import Law

TIMEOUT = 20_000
"""Milliseconds that the solver may take for one question."""

ROUNDS = 3
"""How often the index set grows by what the instances of laws look at themselves."""

REPAIRS = 25
"""How many instances may be added because a model breaks them, before giving up."""

SOUNDNESS = "the text means the same on ints and on terms"


@attrs.frozen
class Judgement:
    """One obligation: an operation keeps a law (or, with no operation, the initial states satisfy it)."""

    operation: str
    law: Law | None
    verdict: str
    """``proved``, ``refuted``, or ``unknown``."""
    seconds: float
    witness: Witness | None = None
    why: str = ""


@attrs.frozen
class Proof:
    """All obligations of one operation, and a lawful state in which it applies."""

    operation: str
    judgements: tuple[Judgement, ...]
    applies: Witness | None
    paths: int
    seconds: float


@attrs.define
class _Segment:
    """From one point where others may run to the next: the state before and after, and what is known."""

    before: Any
    after: Any
    conditions: tuple[Term, ...]
    outcome: Any = None
    answers: tuple[Any, ...] = ()
    written: frozenset[str] = frozenset()


@attrs.define
class _Path:
    segments: list[_Segment]
    lookups: dict[tuple[Any, ...], Lookup]
    counts: dict[int, Counted]
    noted: dict[int, tuple[Scalar, Term]]
    obligations: list[Obligation]


# ---------------------------------------------------------------- laws as formulas


@attrs.frozen
class _Formula:
    """A law of states, about an arbitrary state and arbitrary names."""

    law: Law
    names: tuple[Term, ...]
    body: Term
    lookups: tuple[Lookup, ...]
    counts: tuple[Counted, ...]
    triggers: tuple[Lookup, ...]
    """Lookups that between them mention every name: where a run made such lookups, the law is instantiated."""

    @property
    def tables(self) -> frozenset[str]:
        return frozenset(x.table for x in (*self.lookups, *self.counts))


def _formula(design: Outline, law: Law, base: str) -> _Formula:
    reading = Symbolic(design, prune=False)
    with answering(reading):
        state = reading.state(base)
        names = [reading.arbitrary(kind, f"{law.name}.{n}") for n, kind in law.names]
        body = reading.fold(law.function, state, *names)
    terms = tuple(n.term for n in names)
    lookups = tuple(reading.lookups.values())
    return _Formula(law, terms, body, lookups, tuple(reading.counts.values()), _triggers(terms, lookups))


def _triggers(names: Sequence[Term], lookups: Sequence[Lookup]) -> tuple[Lookup, ...]:
    """Few lookups that mention every name, preferring those that mention nothing else."""
    missing = {n.get_id() for n in names}
    chosen: list[Lookup] = []

    def gain(x: Lookup) -> tuple[int, int]:
        ids = {k.get_id() for k in x.key}
        return len(ids & missing), -len(ids - {n.get_id() for n in names})

    while missing and lookups:
        best = max(lookups, key=gain)
        if gain(best)[0] == 0:
            break
        chosen.append(best)
        missing -= {k.get_id() for k in best.key}
    return tuple(chosen)


class Hypotheses:
    """The laws of an arbitrary lawful state, at the index set."""

    def __init__(self, design: Outline, formulas: Sequence[_Formula], base: str) -> None:
        self.design, self.formulas, self.base = design, formulas, base
        self.lookups: dict[tuple[Any, ...], Lookup] = {}
        self.counts: dict[int, Counted] = {}
        self.asserted: list[Term] = []
        self._done: set[tuple[Any, ...]] = set()
        self._queue: list[Lookup] = []
        self._reading = Symbolic(design, prune=False)

    def admit(self, lookups: Iterator[Lookup] | Sequence[Lookup], counts: Sequence[Counted]) -> None:
        """Let the index set have these."""
        for x in lookups:
            if x.base == self.base and x.identity not in self.lookups:
                self.lookups[x.identity] = x
        for c in counts:
            if c.base == self.base:
                self.counts.setdefault(c.number.get_id(), c)

    def saturate(self, rounds: int = ROUNDS) -> None:
        """Instantiate every law wherever it speaks of what has been looked at."""
        for _ in range(rounds):
            size = len(self._done)
            self._witness_counts()
            for formula in self.formulas:
                for names in list(self._matches(formula)):
                    self.instantiate(formula, names)
            if len(self._done) == size:
                break
        self._witness_counts()

    def instantiate(self, formula: _Formula, names: Sequence[Term]) -> None:
        """Assume a law at these names."""
        identity = (formula.law.name, *(n.get_id() for n in names))
        if identity in self._done:
            return
        self._done.add(identity)
        pairs = list(zip(formula.names, names, strict=True))
        self.asserted.append(z3.substitute(formula.body, *pairs) if pairs else formula.body)
        self.admit([attrs.evolve(x, key=tuple(_substitute(k, pairs) for k in x.key)) for x in formula.lookups],
                   [attrs.evolve(c, number=_substitute(c.number, pairs)) for c in formula.counts])

    def _matches(self, formula: _Formula) -> Iterator[list[Term]]:
        by_table: dict[str, list[Lookup]] = {}
        for x in self.lookups.values():
            by_table.setdefault(x.table, []).append(x)
        own = {n.get_id(): i for i, n in enumerate(formula.names)}
        options: list[list[Lookup]] = [by_table.get(t.table, []) for t in formula.triggers]
        bindings: list[dict[int, Term]] = [{}]
        for trigger, found in zip(formula.triggers, options, strict=True):
            bindings = [new for b in bindings for x in found if (new := _bind(b, trigger, x, own)) is not None]
        free = [i for i in range(len(formula.names)) if i not in {own[k.get_id()] for t in formula.triggers
                                                                     for k in t.key if k.get_id() in own}]
        seen = set()
        for b in bindings:
            choices = [_values(formula.law.names[i][1]) for i in free]
            for values in itertools.product(*choices):
                names = [b.get(i) for i in range(len(formula.names))]
                for i, v in zip(free, values, strict=True):
                    names[i] = v
                identity = tuple(n.get_id() for n in names if n is not None)
                if all(n is not None for n in names) and identity not in seen:
                    seen.add(identity)
                    yield names

    # ------------------------------------------------------------ counts

    def _witness_counts(self) -> None:
        """What any exact count satisfies, as far as the index set can tell."""
        for number in list(self.counts.values()):
            self._at_least(number)
            self._someone_is_counted(number)

    def counted_keys(self, number: Counted) -> list[tuple[Lookup, Term]]:
        """The entries of the index set, and whether each counts."""
        return [(x, self._counts(number, x.key)) for x in self.lookups.values() if x.table == number.table]

    def _counts(self, number: Counted, key: tuple[Term, ...]) -> Term:
        from refmodel.language.opaque import opaque

        kind = self.design.table(number.table)
        table = Table(self._reading, kind, self.base)
        captured = _captured_now(number)
        leaves = table.first(key)
        names = [opaque(self._reading, k, t) for k, t in zip(kind.keys, key, strict=True)]
        with answering(self._reading):
            holds = self._reading.fold(number.where, table.value(leaves), *names)
        if captured:
            holds = _substitute(holds, captured)
        return z3.And(leaves[0], holds) if table.domain is not None else holds

    def _at_least(self, number: Counted) -> None:
        keys = self.counted_keys(number)
        for i, (x, counts) in enumerate(keys):
            self._once(("count", number.number.get_id(), *x.identity), z3.Implies(counts, number.number >= 1))
            for y, also in keys[:i]:
                differ = z3.Or([a != b for a, b in zip(x.key, y.key, strict=True) if not a.eq(b)])
                self._once(("counts", number.number.get_id(), *x.identity, *y.identity),
                           z3.Implies(z3.And(counts, also, differ), number.number >= 2))

    def _someone_is_counted(self, number: Counted) -> None:
        identity = ("counted", number.number.get_id())
        if identity in self._done:
            return
        kind = self.design.table(number.table)
        arguments = number.number.children()
        name = number.number.decl().name()
        keys = [tuple(z3.Function(f"{name}.witness{n}.{i}", *(a.sort() for a in arguments), sort_of(k))(*arguments)
                      if arguments else z3.Const(f"{name}.witness{n}.{i}", sort_of(k))
                      for i, k in enumerate(kind.keys)) for n in (1, 2)]
        one, two = (self._counts(number, key) for key in keys)
        self.admit([Lookup(self.base, number.table, key) for key in keys], [])
        differ = z3.Or([a != b for a, b in zip(*keys, strict=True)])
        self._once(identity, z3.And(number.number >= 0, z3.Implies(number.number >= 1, one),
                                    z3.Implies(number.number >= 2, z3.And(two, differ))))

    def _once(self, identity: tuple[Any, ...], term: Term) -> None:
        if identity not in self._done:
            self._done.add(identity)
            self.asserted.append(term)


def _captured_now(number: Counted) -> list[tuple[Term, Term]]:
    """A count met in a law at formal names, and instantiated: its condition's names have to follow."""
    formal = [cell.cell_contents.term for cell in number.where.__closure__ or ()]
    actual = number.number.children()
    return [(f, a) for f, a in zip(formal, actual, strict=True) if not f.eq(a)]


def _substitute(term: Term, pairs: list[tuple[Term, Term]]) -> Term:
    return z3.substitute(term, *pairs) if pairs else term


def _bind(binding: dict[int, Term], trigger: Lookup, found: Lookup, own: dict[int, int]) -> dict[int, Term] | None:
    """The binding that makes a law's lookup the one that was made, where it mentions the law's names."""
    new = dict(binding)
    for formal, actual in zip(trigger.key, found.key, strict=True):
        position = own.get(formal.get_id())
        if position is None:
            continue
        if position in new and not new[position].eq(actual):
            return None
        new[position] = actual
    return new


def _values(kind: Scalar) -> list[Term]:
    """What a name of a law that no table mentions may stand for."""
    if isinstance(kind, FlagKind):
        return [z3.BoolVal(True), z3.BoolVal(False)]
    return [z3.Const(f"any.{kind}", sort_of(kind))]


# ---------------------------------------------------------------- one operation


class Induction:
    """The obligations of one operation."""

    def __init__(self, design: Outline, op: Operation, timeout: int = TIMEOUT) -> None:
        self.design, self.op, self.timeout = design, op, timeout
        self.laws = [law for law in design.laws if law.of_state or law.applies_to(op.returns)]
        self._formulas: dict[str, list[_Formula]] = {}

    def formulas(self, base: str) -> list[_Formula]:
        """The laws of states, as formulas about this arbitrary state."""
        if base not in self._formulas:
            self._formulas[base] = [_formula(self.design, law, base) for law in self.design.laws if law.of_state]
        return self._formulas[base]

    def prove(self) -> Proof:
        """Every law, after every path."""
        began = time.perf_counter()
        spent: dict[str, float] = {}
        verdicts: dict[str, Judgement] = {}
        applies: Witness | None = None
        number = 0
        for path in self._paths():
            number += 1
            for judgement in self._path(path, applies is None):
                if isinstance(judgement, Witness):
                    applies = judgement
                    continue
                key = judgement.law.name if judgement.law else SOUNDNESS
                spent[key] = spent.get(key, 0.0) + judgement.seconds
                verdicts[key] = _worse(verdicts.get(key), judgement)
        judgements = tuple(attrs.evolve(j, seconds=spent[k]) for k, j in verdicts.items())
        return Proof(self.op.name, judgements, applies, number, time.perf_counter() - began)

    # ------------------------------------------------------------ running the text

    def _paths(self) -> Iterator[_Path]:
        reading = Symbolic(self.design)
        with answering(reading):
            for _ in reading.paths():
                base = reading.state("s")
                arguments = [reading.arbitrary(kind, f"{self.op.name}.{p}") for p, kind in self.op.parameters]
                self.arguments = arguments
                real = [term != constant(leaf, NOTHING) for leaf, term in reading.noted.values() if isinstance(leaf, NameKind)]
                reading.conditions += real
                segments = []
                try:
                    for segment in self._run(reading, base, arguments):
                        segments.append(segment)
                except Refused:
                    if not segments:
                        continue
                yield _Path(segments, dict(reading.lookups), dict(reading.counts), dict(reading.noted), list(reading.obligations))

    def _run(self, reading: Symbolic, state: Any, arguments: list[Any]) -> Iterator[_Segment]:
        before = self._snapshot(state)
        if not self.op.split:
            try:
                outcome = self.op.method(state, *arguments)
            except Fault as fault:
                outcome = fault
            yield self._segment(reading, before, state, outcome)
            return
        body = self.op.method(state, *arguments)
        for number in itertools.count(1):
            try:
                next(body)
            except StopIteration as done:
                yield self._segment(reading, before, state, done.value)
                return
            except Fault as fault:
                yield self._segment(reading, before, state, fault)
                return
            yield self._segment(reading, before, state, None)
            for kind in self.design.tables:  # others have run: all that is known is that the laws hold
                fresh = Table(reading, kind, f"s{number}")
                mine = getattr(state, kind.name)
                mine.base, mine.functions, mine.domain, mine.writes = fresh.base, fresh.functions, fresh.domain, []
            before = self._snapshot(state)

    def _snapshot(self, state: Any) -> Any:
        other = self.design.blank()
        for kind in self.design.tables:
            setattr(other, kind.name, getattr(state, kind.name).frozen())
        return other

    def _segment(self, reading: Symbolic, before: Any, state: Any, outcome: Any) -> _Segment:
        written = frozenset(k.name for k in self.design.tables if getattr(state, k.name).writes)
        return _Segment(before, self._snapshot(state), tuple(reading.conditions), outcome, tuple(reading.answers), written)

    # ------------------------------------------------------------ judging a path

    def _path(self, path: _Path, show: bool) -> Iterator[Judgement | Witness]:
        bases = dict.fromkeys(getattr(s.before, self.design.tables[0].name).base for s in path.segments)
        known = {base: Hypotheses(self.design, self.formulas(base), base) for base in bases}
        for hypotheses in known.values():
            hypotheses.admit(path.lookups.values(), list(path.counts.values()))
            hypotheses.saturate()
        if not self._possible(path, known):
            return
        if show and len(path.segments) == 1:
            witness = self._ask(path, path.segments[0], known, z3.BoolVal(True), Symbolic(self.design), None)
            if witness.witness is not None:
                yield witness.witness
        for obligation in path.obligations:
            goal = z3.Implies(z3.And(*obligation.conditions), obligation.holds)
            answer = self._ask(path, path.segments[-1], known, z3.Not(goal), Symbolic(self.design), None)
            yield attrs.evolve(answer, why=obligation.why) if answer.verdict != "proved" else answer
        for segment in path.segments:
            last = segment is path.segments[-1]
            for law in self.laws:
                if law.of_state and self._untouched(law, segment):
                    yield Judgement(self.op.name, law, "proved", 0.0)
                elif law.of_state or (last or law.outcome is None):
                    yield self._judge(path, segment, known, law)

    def _untouched(self, law: Law, segment: _Segment) -> bool:
        base = getattr(segment.before, self.design.tables[0].name).base
        formula = next(f for f in self.formulas(base) if f.law is law)
        return not formula.tables & segment.written

    def _possible(self, path: _Path, known: dict[str, Hypotheses]) -> bool:
        """Whether the path can be taken from a lawful state, as far as the solver can tell quickly."""
        solver = self._solver(known)
        solver.add(*path.segments[-1].conditions)
        return bool(solver.check() != z3.unsat)

    def _solver(self, known: dict[str, Hypotheses]) -> Any:
        solver = z3.SimpleSolver()
        solver.set("timeout", self.timeout)
        for hypotheses in known.values():
            solver.add(*hypotheses.asserted)
        return solver

    def _judge(self, path: _Path, segment: _Segment, known: dict[str, Hypotheses], law: Law) -> Judgement:
        reading = Symbolic(self.design, prune=False)
        actor = self.op.actor(self.arguments)
        given = {"before": segment.before, "outcome": segment.outcome, "actor": NOTHING if actor is None else actor}
        names = [reading.arbitrary(kind, f"any.{n}") for n, kind in law.names]
        for s in (segment.before, segment.after):
            for kind in self.design.tables:
                getattr(s, kind.name).reading = reading
        with answering(reading):
            goal = reading.fold(law.function, segment.after, *law.arguments(given, names))
        return self._ask(path, segment, known, z3.Not(goal), reading, law)

    def _ask(self, path: _Path, segment: _Segment, known: dict[str, Hypotheses], denied: Term, reading: Symbolic,
             law: Law | None) -> Judgement:
        began = time.perf_counter()
        local = {base: _extended(h, reading) for base, h in known.items()}
        real = [t != constant(leaf, NOTHING) for leaf, t in reading.noted.values()
                if isinstance(leaf, NameKind) and z3.is_const(t)]
        terms = {**path.noted, **reading.noted}
        claim = [*segment.conditions, denied, *real]

        def judgement(verdict: str, witness: Witness | None = None, why: str = "") -> Judgement:
            return Judgement(self.op.name, law, verdict, time.perf_counter() - began, witness, why)

        for _ in range(REPAIRS):
            solver = self._solver(local)
            solver.add(*claim)
            answer = solver.check()
            if answer == z3.unsat:
                return judgement("proved")
            if answer != z3.sat:
                return judgement("unknown", why=f"the solver gave up: {solver.reason_unknown()}")
            if len(local) > 1:
                return judgement("refuted", why="found after a yield: the state in between is any lawful one")
            (hypotheses,) = local.values()
            solver.add(*_closed_world(hypotheses))
            if solver.check() != z3.sat:
                return judgement("unknown", why="a solution exists only with entries that no name here stands for")
            found = concretise(self.design, self.op, self.arguments, segment.answers, law, solver.model(), hypotheses, terms)
            if isinstance(found, Witness):
                return judgement("refuted", found)
            if found is None or not self._repair(hypotheses, *found):
                return judgement("unknown", why="the solution could not be made into a run on ints")
        return judgement("unknown", why=f"no lawful state found after {REPAIRS} repairs")

    def _repair(self, hypotheses: Hypotheses, law: Law, names: Sequence[Term]) -> bool:
        """A model broke a law that may be assumed: assume it there."""
        formula = next(f for f in hypotheses.formulas if f.law is law)
        size = len(hypotheses.asserted)
        hypotheses.instantiate(formula, names)
        hypotheses.saturate(1)
        return len(hypotheses.asserted) > size


def _extended(hypotheses: Hypotheses, reading: Symbolic) -> Hypotheses:
    """The hypotheses of a path, and what the denied law looks at besides."""
    other = Hypotheses(hypotheses.design, hypotheses.formulas, hypotheses.base)
    other.lookups, other.counts = dict(hypotheses.lookups), dict(hypotheses.counts)
    other.asserted, other._done = list(hypotheses.asserted), set(hypotheses._done)
    other.admit(list(reading.lookups.values()), list(reading.counts.values()))
    other.saturate()
    return other


def _closed_world(hypotheses: Hypotheses) -> Iterator[Term]:
    """That nothing is counted but what the index set names: a solution must fit in a finite state."""
    for number in hypotheses.counts.values():
        total: Term = z3.IntVal(0)
        earlier: list[tuple[Term, ...]] = []
        for x, counts in hypotheses.counted_keys(number):
            new = z3.And([z3.Or([a != b for a, b in zip(x.key, y, strict=True)]) for y in earlier])
            total = total + z3.If(z3.And(counts, new), z3.IntVal(1), z3.IntVal(0))
            earlier.append(x.key)
        yield number.number == total


_ORDER = {"proved": 0, "unknown": 1, "refuted": 2}


def _worse(a: Judgement | None, b: Judgement) -> Judgement:
    return b if a is None or _ORDER[b.verdict] > _ORDER[a.verdict] else a


def prove_operation(design: Outline, name: str, timeout: int = TIMEOUT) -> Proof:
    """All obligations of one operation."""
    return Induction(design, design.operation(name), timeout).prove()


# ---------------------------------------------------------------- the initial states


def prove_initial(design: Outline, timeout: int = TIMEOUT) -> Proof:
    """The laws hold before anything has happened, for any number of names."""
    began = time.perf_counter()
    judgements = []
    for law in design.laws:
        if law.of_state:
            judgements.append(_initially(design, law, timeout))
    return Proof("initial state", tuple(judgements), None, 1, time.perf_counter() - began)


def _initially(design: Outline, law: Law, timeout: int) -> Judgement:
    began = time.perf_counter()
    reading = _Initially(design, prune=False)
    with answering(reading):
        state = reading.state("s")
        for kind in design.tables:
            if kind.name not in design.cls.arbitrary:
                getattr(state, kind.name).reset(lambda *_: True)
        names = [reading.arbitrary(kind, f"any.{n}") for n, kind in law.names]
        goal = reading.fold(law.function, state, *names)
    solver = z3.SimpleSolver()
    solver.set("timeout", timeout)
    solver.add(z3.Not(goal))
    answer = solver.check()
    verdict = "proved" if answer == z3.unsat else "refuted" if answer == z3.sat else "unknown"
    return Judgement("initial state", law, verdict, time.perf_counter() - began)


class _Initially(Symbolic):
    """Before anything has happened a count is known: everything is at its default."""

    def count(self, table: Table, where: Any) -> Any:
        from refmodel.language.opaque import opaque

        names = [self.arbitrary(kind, f"counted.{i}") for i, kind in enumerate(table.kind.keys)]
        holds = self.fold(where, table.value(table.defaults() if table.domain is None else [z3.BoolVal(False), *table.defaults()]),
                          *names)
        if table.domain is None and not z3.is_false(holds):
            return self.arbitrary_number(table)
        from refmodel.language.kinds import NaturalKind

        return opaque(self, NaturalKind(), z3.IntVal(0))

    def arbitrary_number(self, table: Table) -> Any:
        """A count that the defaults do not decide."""
        from refmodel.language.kinds import NaturalKind

        return self.arbitrary(NaturalKind(), f"count.{table.kind.name}")


def is_generator(method: Any) -> bool:
    """Whether an operation is split by yields."""
    return inspect.isgeneratorfunction(method)
