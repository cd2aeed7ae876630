"""Unbounded proofs by induction: an operation, run on an arbitrary lawful state, leaves a lawful state.

No quantifier reaches the solver. To prove a law after an operation, the law is denied at arbitrary names, and every law is
assumed beforehand at the *index set*: the names that the run and the denied law look at (Bradley, Manna and Sipma, VMCAI
2006). No solution means that the law is kept for any number of machines, pages and frames. A solution is made into a state on
ints; if that breaks a law the proof may assume, the law's instance is added and the solver asked again; otherwise the operation is
run on it, and must break the law there too. Only then is it shown.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.scope import Scope, Witness
from refmodel.engines.symbolic import Counted, Lookup, Obligation, Symbolic, Table, Term, constant, sort_of
from refmodel.language.asking import Fault, Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.kinds import NOTHING, FlagKind, NameKind, NaturalKind, Scalar
from refmodel.language.laws import Law
from refmodel.language.opaque import opaque

TIMEOUT = 20_000
"""Milliseconds that the solver may take for one question."""

ROUNDS = 2
"""How far from the run a lookup may be for laws to be instantiated there: what the run looks at (0), what laws about that look
at (1), and so on. """

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
    """All obligations of one operation."""

    operation: str
    judgements: tuple[Judgement, ...]
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
class Formula:
    """A law of states, about an arbitrary state and arbitrary names."""

    law: Law
    names: tuple[Term, ...]
    body: Term
    lookups: tuple[Lookup, ...]
    counts: tuple[Counted, ...]
    triggers: tuple[tuple[Lookup, ...], ...]
    """Groups of lookups that between them mention every name: where a run made such lookups, the law is instantiated."""

    @property
    def tables(self) -> frozenset[str]:
        return frozenset([x.table for x in self.lookups] + [c.table for c in self.counts])


def _formula(design: Outline, law: Law, base: str) -> Formula:
    reading = Symbolic(design, prune=False)
    with answering(reading):
        state = reading.state(base)
        names = [reading.arbitrary(kind, f"{law.name}.{n}") for n, kind in law.names]
        body = reading.fold(law.function, state, *names)
    terms = tuple(n.term for n in names)
    lookups = tuple(reading.lookups.values())
    return Formula(law, terms, body, lookups, tuple(reading.counts.values()), _triggers(terms, lookups))


def _triggers(names: Sequence[Term], lookups: Sequence[Lookup]) -> tuple[tuple[Lookup, ...], ...]:
    """Each lookup that mentions every name, and if there is none, few that do so together."""
    wanted = {n.get_id() for n in names}
    mentioned = {x.identity: _mentioned(x, wanted) for x in lookups}
    alone = [(x,) for x in lookups if mentioned[x.identity] == wanted]
    if alone or not wanted:
        return tuple(alone)
    chosen: list[Lookup] = []
    missing = set(wanted)
    while missing and lookups:
        best = max(lookups, key=lambda x: len(mentioned[x.identity] & missing))
        if not mentioned[best.identity] & missing:
            break
        chosen.append(best)
        missing -= mentioned[best.identity]
    return (tuple(chosen),)


def _mentioned(lookup: Lookup, names: set[int]) -> set[int]:
    found: set[int] = set()
    todo = list(lookup.key)
    while todo:
        term = todo.pop()
        if term.get_id() in names:
            found.add(term.get_id())
        todo += term.children()
    return found


class Hypotheses:
    """The laws of an arbitrary lawful state, at the index set."""

    def __init__(self, design: Outline, formulas: Sequence[Formula], base: str) -> None:
        self.design, self.formulas, self.base = design, formulas, base
        self.lookups: dict[tuple[Any, ...], Lookup] = {}
        self.distance: dict[tuple[Any, ...], int] = {}
        self.counts: dict[int, Counted] = {}
        self.asserted: list[Term] = []
        self._done: set[tuple[Any, ...]] = set()
        self._fresh: list[Lookup] = []
        self._reading = Symbolic(design, prune=False)
        self._counting: dict[Any, tuple[Term, list[Term]]] = {}
        self._counted: dict[tuple[Any, ...], Term] = {}

    def copy(self) -> Hypotheses:
        """The same, to be extended."""
        other = Hypotheses(self.design, self.formulas, self.base)
        other.lookups, other.counts, other.distance = dict(self.lookups), dict(self.counts), dict(self.distance)
        other.asserted, other._done = list(self.asserted), set(self._done)
        other._reading, other._counting, other._counted = self._reading, self._counting, self._counted
        return other

    def admit(self, lookups: Sequence[Lookup], counts: Sequence[Counted], distance: int = 0) -> None:
        """Let the index set have these."""
        for x in lookups:
            if x.base == self.base and x.identity not in self.lookups:
                self.lookups[x.identity] = x
                self.distance[x.identity] = distance
                self._fresh.append(x)
                self._nobody(x)
        for c in counts:
            if c.base == self.base:
                self.counts.setdefault(c.number.get_id(), c)

    def _nobody(self, lookup: Lookup) -> None:
        """Nothing is ever stored under the name of nobody (``Table.__setitem__`` obliges every text to that)."""
        table = Table(self._reading, self.design.table(lookup.table), self.base)
        nobody = [n for n in map(z3.simplify, table.nobody(lookup.key)) if not z3.is_false(n)]
        if nobody:
            defaults = table.defaults() if table.domain is None else [z3.BoolVal(False), *table.defaults()]
            same = [a == b for a, b in zip(table.first(lookup.key), defaults, strict=True)]
            self.asserted.append(z3.Implies(z3.Or(nobody), z3.And(same)))

    def saturate(self) -> None:
        """Instantiate every law wherever it speaks of what has been looked at."""
        while self._fresh:
            fresh, self._fresh = {x.identity for x in self._fresh if self.distance[x.identity] < ROUNDS}, []
            by_table: dict[str, list[Lookup]] = {}
            for x in self.lookups.values():
                if self.distance[x.identity] < ROUNDS:
                    by_table.setdefault(x.table, []).append(x)
            for formula in self.formulas:
                for names, distance in list(self._matches(formula, by_table, fresh)):
                    self.instantiate(formula, names, distance + 1)
        self._count()

    def instantiate(self, formula: Formula, names: Sequence[Term], distance: int) -> None:
        """Assume a law at these names."""
        identity = (formula.law.name, *(n.get_id() for n in names))
        if identity in self._done:
            return
        self._done.add(identity)
        pairs = list(zip(formula.names, names, strict=True))
        self.asserted.append(_substitute(formula.body, pairs))
        self.admit([attrs.evolve(x, key=tuple(_substitute(k, pairs) for k in x.key)) for x in formula.lookups],
                   [attrs.evolve(c, number=_substitute(c.number, pairs)) for c in formula.counts], distance)

    def _matches(self, formula: Formula, by_table: dict[str, list[Lookup]], fresh: set[tuple[Any, ...]]
                 ) -> Iterator[tuple[list[Term], int]]:
        """The names for which a law speaks of a fresh lookup, and how far from the run that is."""
        own = {n.get_id(): i for i, n in enumerate(formula.names)}
        for group in formula.triggers:
            bindings: list[tuple[dict[int, Term], bool, int]] = [({}, False, 0)]
            for trigger in group:
                bindings = [(new, is_new or x.identity in fresh, max(far, self.distance[x.identity]))
                            for b, is_new, far in bindings for x in by_table.get(trigger.table, [])
                            if (new := _bind(b, trigger, x, own)) is not None]
            free = [i for i in range(len(formula.names)) if bindings and i not in bindings[0][0]]
            for b, is_new, far in bindings:
                if not is_new:
                    continue
                for values in itertools.product(*(_values(formula.law.names[i][1]) for i in free)):
                    extra = dict(zip(free, values, strict=True))
                    yield [b[i] if i in b else extra[i] for i in range(len(formula.names))], far

    # ------------------------------------------------------------ counts

    def counted_keys(self, number: Counted) -> list[tuple[Lookup, Term]]:
        """The entries of the index set, and whether each counts."""
        return [(x, self._counts(number, x)) for x in self.lookups.values() if x.table == number.table]

    def _counts(self, number: Counted, at: Lookup) -> Term:
        """Whether the entry that was looked at counts."""
        identity = (number.number.get_id(), *at.identity)
        if identity not in self._counted:
            holds, formal = self._condition(number)
            self._counted[identity] = z3.substitute(holds, *zip(formal, [*at.key, *number.number.children()], strict=True))
        return self._counted[identity]

    def _condition(self, number: Counted) -> tuple[Term, list[Term]]:
        """What makes an entry count, and the key and names that it speaks of."""
        code = number.where.__code__
        if code not in self._counting:
            kind = self.design.table(number.table)
            table = Table(self._reading, kind, self.base)
            key = tuple(z3.Const(f"counted.{i}", sort_of(k)) for i, k in enumerate(kind.keys))
            leaves = table.first(key)
            names = [opaque(self._reading, k, t) for k, t in zip(kind.keys, key, strict=True)]
            with answering(self._reading):
                holds = self._reading.fold(number.where, table.value(leaves), *names)
            captured = [cell.cell_contents.term for cell in number.where.__closure__ or ()]
            holds = z3.And(leaves[0], holds) if table.domain is not None else holds
            self._counting[code] = holds, [*key, *captured]
        return self._counting[code]

    def _count(self) -> None:
        """What any exact count satisfies, as far as the index set near the run can tell."""
        for number in list(self.counts.values()):
            near = [(x, c) for x, c in self.counted_keys(number) if self.distance[x.identity] < ROUNDS]
            self._once(("count", number.number.get_id()), number.number >= 0)
            for i, (x, counts) in enumerate(near):
                if z3.is_false(counts):
                    continue
                self._once(("count", number.number.get_id(), *x.identity), z3.Implies(counts, number.number >= 1))
                if self.distance[x.identity]:
                    continue
                for y, also in near[:i]:
                    if self.distance[y.identity]:
                        continue
                    identity = ("counts", number.number.get_id(), *x.identity, *y.identity)
                    if identity not in self._done:
                        self._once(identity, z3.Implies(z3.And(counts, also, _differ(x.key, y.key)), number.number >= 2))

    def _once(self, identity: tuple[Any, ...], term: Term) -> None:
        if identity not in self._done:
            self._done.add(identity)
            self.asserted.append(term)


def _differ(a: tuple[Term, ...], b: tuple[Term, ...]) -> Term:
    return z3.Or([x != y for x, y in zip(a, b, strict=True) if not x.eq(y)])


def _substitute(term: Term, pairs: list[tuple[Term, Term]]) -> Term:
    return z3.substitute(term, *pairs) if pairs else term


def _bind(binding: dict[int, Term], trigger: Lookup, found: Lookup, own: dict[int, int]) -> dict[int, Term] | None:
    """The binding that makes a law's lookup the one that was made, or None if there is none."""
    new = dict(binding)
    todo = list(zip(trigger.key, found.key, strict=True))
    while todo:
        formal, actual = todo.pop()
        position = own.get(formal.get_id())
        if position is not None:
            if position in new and not new[position].eq(actual):
                return None
            new[position] = actual
        elif formal.num_args() and formal.decl().eq(actual.decl()):
            todo += zip(formal.children(), actual.children(), strict=True)
        elif not formal.eq(actual):
            return None
    return new


def _values(kind: Scalar) -> list[Term]:
    """What a name of a law that no table mentions may stand for."""
    if isinstance(kind, FlagKind):
        return [z3.BoolVal(True), z3.BoolVal(False)]
    return [z3.Const(f"any.{kind}", sort_of(kind))]


# ---------------------------------------------------------------- one operation


class Induction:
    """The obligations of one operation."""

    def __init__(self, design: Outline, op: Operation, clause: str | None = None, timeout: int = TIMEOUT) -> None:
        self.design, self.op, self.timeout = design, op, timeout
        self.laws = [law for law in design.laws if (law.of_state or law.applies_to(op.returns)) and clause in (None, law.clause)]
        self._formulas: dict[str, list[Formula]] = {}
        self._scope: Scope | None = None
        self._shared = Hypotheses(design, self.formulas("s"), "s")

    def formulas(self, base: str) -> list[Formula]:
        """The laws of states, as formulas about this arbitrary state."""
        if base not in self._formulas:
            self._formulas[base] = [_formula(self.design, law, base) for law in self.design.laws if law.of_state]
        return self._formulas[base]

    def prove(self, to_the_end: bool = True) -> Proof:
        """Every law, after every path; unless asked to go to the end, no further than the first path that breaks one."""
        began = time.perf_counter()
        spent: dict[str, float] = {}
        verdicts: dict[str, Judgement] = {}
        number = 0
        for path in self._paths():
            number += 1
            if not to_the_end and any(v.verdict == "refuted" for v in verdicts.values()):
                break
            for judgement in self._path(path):
                key = judgement.law.name if judgement.law else SOUNDNESS
                spent[key] = spent.get(key, 0.0) + judgement.seconds
                verdicts[key] = _worse(verdicts.get(key), judgement)
        judgements = tuple(attrs.evolve(j, seconds=spent[k]) for k, j in verdicts.items())
        return Proof(self.op.name, judgements, number, time.perf_counter() - began)

    # ------------------------------------------------------------ running the text

    def _paths(self) -> Iterator[_Path]:
        reading = Symbolic(self.design)
        with answering(reading):
            for _ in reading.paths():
                base = reading.state("s")
                arguments = [reading.arbitrary(kind, f"{self.op.name}.{p}") for p, kind in self.op.parameters]
                self.arguments = arguments
                reading.conditions += [argument.term != constant(kind, NOTHING) for (_, kind), argument in
                                       zip(self.op.parameters, arguments, strict=True) if isinstance(kind, NameKind)]
                segments = []
                try:
                    for segment in self._run(reading, base, arguments):
                        segments.append(segment)
                except Refused:
                    if not segments:
                        continue
                self._learn(reading)
                yield _Path(segments, dict(reading.lookups), dict(reading.counts), dict(reading.noted), list(reading.obligations))

    def _learn(self, reading: Symbolic) -> None:
        """What the laws say of this path's lookups prunes later paths: the terms are the same ones."""
        size = len(self._shared.asserted)
        self._shared.admit(list(reading.lookups.values()), list(reading.counts.values()))
        self._shared.saturate()
        reading.solver.add(*self._shared.asserted[size:])

    def _run(self, reading: Symbolic, state: Any, arguments: list[Any]) -> Iterator[_Segment]:
        before = self._snapshot(state)
        if not self.op.split:
            outcome = None
            try:
                outcome = self.op.method(state, *arguments)
            except Fault as fault:
                outcome = fault
            except Refused:
                raise
            except Exception as error:
                self._aborts(reading, error)
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
            except Refused:
                raise
            except Exception as error:
                self._aborts(reading, error)
                yield self._segment(reading, before, state, None)
                return
            yield self._segment(reading, before, state, None)
            for kind in self.design.tables:  # others have run: all that is known is that the laws hold
                fresh = Table(reading, kind, f"s{number}")
                mine = getattr(state, kind.name)
                mine.base, mine.functions, mine.domain, mine.writes = fresh.base, fresh.functions, fresh.domain, []
            before = self._snapshot(state)

    def _aborts(self, reading: Symbolic, error: Exception) -> None:
        """The monitor aborts on this path; unless no lawful state leads along it, EFF-3 is broken."""
        reading.obligations.append(Obligation(tuple(reading.conditions), z3.BoolVal(False),
                                              f"the monitor aborts: {type(error).__name__}: {error}"))

    def _snapshot(self, state: Any) -> Any:
        other = self.design.blank()
        for kind in self.design.tables:
            setattr(other, kind.name, getattr(state, kind.name).frozen())
        return other

    def _segment(self, reading: Symbolic, before: Any, state: Any, outcome: Any) -> _Segment:
        written = frozenset(k.name for k in self.design.tables if getattr(state, k.name).writes)
        return _Segment(before, self._snapshot(state), tuple(reading.conditions), outcome, tuple(reading.answers), written)

    # ------------------------------------------------------------ judging a path

    def _path(self, path: _Path) -> Iterator[Judgement]:
        bases = dict.fromkeys(_base_of(self.design, s.before) for s in path.segments)
        known = {base: self._shared.copy() if base == "s" else Hypotheses(self.design, self.formulas(base), base) for base in bases}
        for hypotheses in known.values():
            hypotheses.admit(list(path.lookups.values()), list(path.counts.values()))
            hypotheses.saturate()
        if self._solver(known).check(*path.segments[-1].conditions) == z3.unsat:
            return  # the path cannot be taken from a lawful state
        began = time.perf_counter()
        reading = Symbolic(self.design, prune=False)
        goals = list(self._goals(path, reading))
        for hypotheses in known.values():
            hypotheses.admit(list(reading.lookups.values()), list(reading.counts.values()))
            hypotheses.saturate()
        terms = {**path.noted, **reading.noted}
        ask = _Question(self, path, known, terms, self._solver(known))
        share = (time.perf_counter() - began) / max(1, len(goals))
        for obligation in path.obligations:
            goal = z3.Implies(z3.And(*obligation.conditions), obligation.holds)
            answer = ask.about(None, path.segments[-1], z3.Not(goal))
            yield attrs.evolve(answer, why=obligation.why) if answer.verdict != "proved" else answer
        for law, segment, goal in goals:
            if goal is None:
                yield Judgement(self.op.name, law, "proved", 0.0)
            else:
                answer = ask.about(law, segment, z3.Not(goal))
                yield attrs.evolve(answer, seconds=answer.seconds + share)

    def _goals(self, path: _Path, reading: Symbolic) -> Iterator[tuple[Law, _Segment, Term | None]]:
        """What must hold after each segment, at arbitrary names; None where the segment wrote nothing it speaks of."""
        actor = self.op.actor(self.arguments)
        for segment in path.segments:
            last = segment is path.segments[-1]
            for s in (segment.before, segment.after):
                for kind in self.design.tables:
                    getattr(s, kind.name).reading = reading
            given = {"before": segment.before, "outcome": segment.outcome, "actor": NOTHING if actor is None else actor}
            for law in self.laws:
                if law.of_state and self._untouched(law, segment):
                    yield law, segment, None
                elif law.of_state or last or law.outcome is None:
                    names = self._arbitrary_names(law, reading)
                    with answering(reading):
                        yield law, segment, reading.fold(law.function, segment.after, *law.arguments(given, names))

    def _arbitrary_names(self, law: Law, reading: Symbolic) -> list[Any]:
        """The same arbitrary names for every law, so that laws share an index set."""
        used: dict[str, int] = {}
        names = []
        for _, kind in law.names:
            sort = str(sort_of(kind))
            used[sort] = used.get(sort, 0) + 1
            names.append(reading.arbitrary(kind, f"any.{sort}.{used[sort]}"))
        return names

    def _untouched(self, law: Law, segment: _Segment) -> bool:
        formula = next(f for f in self.formulas(_base_of(self.design, segment.before)) if f.law is law)
        return not formula.tables & segment.written

    def _solver(self, known: dict[str, Hypotheses]) -> Any:
        solver = z3.SimpleSolver()
        solver.set("timeout", self.timeout)
        for hypotheses in known.values():
            solver.add(*hypotheses.asserted)
        return solver

    def scope(self) -> Scope:
        """The lawful states of the design's own geometry."""
        if self._scope is None:
            self._scope = Scope(self.design, self.formulas("s"), "s")
        return self._scope


def _base_of(design: Outline, state: Any) -> str:
    """Which arbitrary state a state was made from."""
    base: str = getattr(state, design.tables[0].name).base
    return base


class _Question:
    """The solver, knowing a path and the laws that may be assumed, asked about one goal after the other."""

    def __init__(self, induction: Induction, path: _Path, known: dict[str, Hypotheses],
                 terms: dict[int, tuple[Scalar, Term]], solver: Any) -> None:
        self.induction, self.path, self.known, self.terms, self.solver = induction, path, known, terms, solver
        self.real = [t != constant(leaf, NOTHING) for leaf, t in terms.values() if isinstance(leaf, NameKind) and z3.is_const(t)
                     and str(t).startswith("any.")]

    def about(self, law: Law | None, segment: _Segment, denied: Term) -> Judgement:
        """Whether the denied law has no model."""
        began = time.perf_counter()
        self.solver.push()
        try:
            self.solver.add(*segment.conditions, denied, *self.real)
            verdict, witness, why = self._verdict(law, segment, denied)
        finally:
            self.solver.pop()
        return Judgement(self.induction.op.name, law, verdict, time.perf_counter() - began, witness, why)

    def _verdict(self, law: Law | None, segment: _Segment, denied: Term) -> tuple[str, Witness | None, str]:
        answer = self.solver.check()
        if answer == z3.unsat:
            return "proved", None, ""
        if answer != z3.sat:
            return "unknown", None, f"the solver gave up: {self.solver.reason_unknown()}"
        if len(self.known) > 1:
            return "unknown", None, "not proved; the state after a yield may be any lawful one"
        if law is None:
            return "unknown", None, "not proved"
        return self._in_scope(law, segment, denied)

    def _in_scope(self, law: Law, segment: _Segment, denied: Term) -> tuple[str, Witness | None, str]:
        """Look for a counterexample of a small size."""
        induction = self.induction
        scope = induction.scope()
        size = len(scope.asserted)
        scope.count(self.path.counts.values())
        solver = scope.solver(induction.timeout)
        del scope.asserted[size:]
        solver.add(*segment.conditions, denied)
        for leaf, term in self.terms.values():
            if isinstance(leaf, NameKind) and z3.is_const(term):
                solver.add(scope.among(leaf, term))
            elif isinstance(leaf, NaturalKind):
                solver.add(term >= 0, term <= scope.geometry.naturals)
        answer = solver.check()
        if answer != z3.sat:
            return "unknown", None, f"not proved, and no counterexample with {scope.geometry}"
        witness = scope.witness(solver.model(), induction.op, induction.arguments, segment.answers, law)
        if witness is None:
            return "unknown", None, "not proved; the solver's counterexample does not happen on ints"
        return "refuted", witness, ""


_ORDER = {"proved": 0, "unknown": 1, "refuted": 2}


def _worse(a: Judgement | None, b: Judgement) -> Judgement:
    return b if a is None or _ORDER[b.verdict] > _ORDER[a.verdict] else a


def prove_operation(design: Outline, name: str, clause: str | None = None, *, to_the_end: bool = True,
                    timeout: int = TIMEOUT) -> Proof:
    """The obligations of one operation, or those of one clause; every law may be assumed beforehand."""
    with joined(design):
        return Induction(design, design.operation(name), clause, timeout).prove(to_the_end)


# ---------------------------------------------------------------- the initial states


def prove_initial(design: Outline, clause: str | None = None, timeout: int = TIMEOUT) -> Proof:
    """The laws hold before anything has happened, for any number of names."""
    began = time.perf_counter()
    judgements = []
    with joined(design):
        for law in design.laws:
            if law.of_state and clause in (None, law.clause):
                judgements.append(_initially(design, law, timeout))
    return Proof("initial state", tuple(judgements), 1, time.perf_counter() - began)


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
        names = [self.arbitrary(kind, f"counted.{i}") for i, kind in enumerate(table.kind.keys)]
        holds = self.fold(where, table.value(table.defaults() if table.domain is None else [z3.BoolVal(False), *table.defaults()]),
                          *names)
        if table.domain is None and not z3.is_false(holds):
            return self.arbitrary_number(table)
        return opaque(self, NaturalKind(), z3.IntVal(0))

    def arbitrary_number(self, table: Table) -> Any:
        """A count that the defaults do not decide."""
        return self.arbitrary(NaturalKind(), f"count.{table.kind.name}")
