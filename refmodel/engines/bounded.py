"""Bounded model checking: is there a run of so many steps, from power-on, that breaks a law?

No law needs to be inductive for this, so it serves a design whose laws are not complete yet. Every operation is run symbolically
once; its paths, copied for each step and chained, are one formula, and the solver finds the run. Depth after depth, so the first
run found is a shortest one of its geometry. What is found is run on ints before it is shown.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import z3

from refmodel.engines.conditions import formal
from refmodel.engines.connectives import number_of
from refmodel.engines.formulas import Formula, claimed
from refmodel.engines.goals import arbitrary_names
from refmodel.engines.machine import Failure, Machine, Run, Step, recorded
from refmodel.engines.paths import Path
from refmodel.engines.prover import Induction
from refmodel.engines.questions import Solver
from refmodel.engines.scope import Decoder, Scope, holding
from refmodel.engines.symbolic import Obligation, Symbolic
from refmodel.engines.symbolic_tables import Counted, Table
from refmodel.engines.terms import Term, constant, is_given
from refmodel.language.asking import answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.kinds import Kind, NameKind, NaturalKind, Scalar
from refmodel.language.opaque import asking
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import BadDesign


@attrs.frozen
class Search:
    """What a bounded search covered, and what it found."""

    failure: Failure | None
    depth: int
    """Steps up to which there is no run that breaks a law (or at which the one found does)."""
    complete: bool
    """Whether it got as deep as it was asked to."""
    seconds: float
    geometry: Geometry
    """Where the run that was found can be taken: with the numbers that its steps are given."""


@attrs.frozen
class _Path:
    op: Operation
    arguments: tuple[Any, ...]
    answers: tuple[Any, ...]
    conditions: tuple[Term, ...]
    written: dict[str, dict[tuple[Term, ...], list[Term]]]
    terms: tuple[tuple[Scalar, Term], ...]
    broken: Term
    """That a law about steps does not hold of this one."""


_Step = tuple[Operation, tuple[Any, ...], tuple[Any, ...], list[tuple[Kind, Any]]]
"""A step of a run: the operation, its arguments, what it was answered, and all that it is given, each with its kind."""
SHORT = 500
"""Milliseconds to see that something holds on the way. What is not seen is looked for in runs."""
NEXT = "next"
"""What the state after a step is called, in the formula of one step."""


class _Chain:
    """The formula of a run, made longer step by step.

    One step is one formula about the symbols of the state before it and of the state after it; each further step is a copy under
    other names, which the solver's own substitution makes.
    """

    def __init__(
        self, design: Outline, formulas: Sequence[Formula], paths: Sequence[_Path], scope: Scope, counts: Sequence[Counted]
    ) -> None:
        self.design, self.formulas, self.paths, self.scope, self.counts = design, formulas, paths, scope, counts
        self.solver = z3.Solver()
        self.solver.add(*scope.names_only)
        self.before, self.after = self._functions("s"), self._functions(NEXT)
        self.own = {number_of(t): t for p in paths for _, t in p.terms}
        self.which = z3.Int("path")
        self.state = z3.And(self._state())
        self.step = z3.And(list(self._steps()))
        self.bad_state = z3.Or(
            [
                z3.Not(z3.substitute(f.body, *zip(f.names, values, strict=True)) if values else f.body)
                for f in formulas
                for values in itertools.product(*(scope.names(k) for _, k in f.law.names))
            ]
        )
        self.bad_step = z3.Or([z3.And(self.which == n, p.broken) for n, p in enumerate(paths) if not z3.is_false(p.broken)])

    def _functions(self, base: str) -> list[Any]:
        """The symbols that a state consists of, in a fixed order."""
        reading = Symbolic(self.design, prune=False)
        found: list[Any] = []
        for kind in self.design.tables:
            table = Table(reading, kind, base)
            found += table.symbols.functions if table.domain is None else [table.domain, *table.symbols.functions]
        for c in self.counts:
            decl = c.number.decl()
            domain = [decl.domain(i) for i in range(decl.arity())]
            found.append(z3.Function(decl.name().replace("s.", base + ".", 1), *domain, decl.range()))
        return found

    def at(self, term: Term, step: int) -> Term:
        """A term about a state and the next, as one about the states after so many steps and one more."""
        pairs, constants = [], [(t, z3.Const(f"{t}@{step}", t.sort())) for t in [self.which, *self.own.values()]]
        for functions, number in ((self.before, step), (self.after, step + 1)):
            for f, plain in zip(functions, self.before, strict=True):
                g = _renamed(plain, number)
                if f.arity():
                    pairs.append((f, g(*(z3.Var(i, f.domain(i)) for i in range(f.arity())))))
                else:
                    constants.append((f(), g()))
        return z3.substitute_funs(z3.substitute(term, *constants), *pairs)

    def _state(self) -> list[Term]:
        """That entries hold names that there are, and that counts are right."""
        scope = self.scope
        size = len(scope.asserted)
        scope._bound_entries()
        scope.count(self.counts)
        terms = scope.asserted[size:]
        del scope.asserted[size:]
        return terms

    def begin(self) -> None:
        """Power-on."""
        self.solver.add(self.at(self.state, 0))
        for kind in self.design.tables:
            table = Table(self.scope._reading, kind, "s")
            if kind.name in self.design.arbitrary:
                entries = zip(kind.all_keys(self.scope.geometry), self.scope.keys(kind.name), strict=True)
                self.solver.add(*(self.at(self.scope.at_power_on(kind, key, table.first(terms)), 0) for key, terms in entries))
                continue
            self.solver.add(
                self.at(
                    z3.And(
                        [
                            a == b
                            for key in self.scope.keys(kind.name)
                            for a, b in zip(table.first(key), table.initial(), strict=True)
                        ]
                    ),
                    0,
                )
            )

    def extend(self, step: int) -> None:
        """One step more: from the state after ``step`` steps to the next."""
        self.solver.add(self.at(self.step, step), self.at(self.state, step + 1))

    def broken(self, step: int) -> Term:
        """That a law does not hold of the state after so many steps, or of the last of them."""
        if step == 0:
            return self.at(self.bad_state, 0)
        return z3.Or(self.at(self.bad_state, step), self.at(self.bad_step, step - 1))

    def _steps(self) -> Iterator[Term]:
        """One step: along one of the paths, and what it does not write stays."""
        yield z3.And(self.which >= 0, self.which < len(self.paths))
        for number, path in enumerate(self.paths):
            yield z3.Implies(self.which == number, z3.And(list(self._taken(path))))
        for kind in self.design.tables:
            still = [self.which == n for n, p in enumerate(self.paths) if kind.name not in p.written]
            yield z3.Implies(z3.Or(still), z3.And([b == a for key in self.scope.keys(kind.name) for a, b in self._both(kind, key)]))

    def _both(self, kind: Any, key: tuple[Term, ...]) -> list[tuple[Term, Term]]:
        now, then = Table(self.scope._reading, kind, "s"), Table(self.scope._reading, kind, NEXT)
        return list(zip(now.first(key), then.first(key), strict=True))

    def _taken(self, path: _Path) -> Iterator[Term]:
        for leaf, term in path.terms:
            if isinstance(leaf, NameKind):
                yield self.scope.among(leaf, term)
            elif isinstance(leaf, NaturalKind):
                yield term >= 0
        for (_, parameter), argument in zip(path.op.parameters, path.arguments, strict=True):
            yield self.scope.listed(parameter, [v.term for v in parameter.flatten(argument)])
        yield from path.conditions
        for name, entries in path.written.items():
            kind = self.design.table(name)
            for key, new in entries.items():
                for (_, then), t in zip(self._both(kind, key), new, strict=True):
                    yield then == t

    def run(self, model: Any, depth: int) -> tuple[Failure | None, Geometry]:
        """The run that a model describes, if it breaks a law on ints, and the geometry that has what its steps are given."""
        decoder = Decoder(self.scope, model)
        taken = [self._step(model, decoder, step) for step in range(depth)]
        initial = list(self._initial(decoder))
        geometry = holding(self.scope.geometry, [*initial, *(each for *_, given in taken for each in given)])
        return self._broken_by(taken, Machine(self.design, geometry), [value for _, value in initial]), geometry

    def _step(self, model: Any, decoder: Decoder, step: int) -> _Step:
        """One step of the run that a model describes."""
        path = self.paths[model.eval(z3.Int(f"path@{step}"), model_completion=True).as_long()]
        value = _Later(self, decoder, step)
        arguments = tuple(value.of(kind, a) for (_, kind), a in zip(path.op.parameters, path.arguments, strict=True))
        answers = tuple(value.of(*a) if isinstance(a, tuple) else a for a in path.answers)
        given = [(kind, a) for (_, kind), a in zip(path.op.parameters, arguments, strict=True)]
        return (
            path.op,
            arguments,
            answers,
            [*given, *((asked[0], a) for asked, a in zip(path.answers, answers, strict=True) if isinstance(asked, tuple))],
        )

    def _broken_by(self, taken: Sequence[_Step], machine: Machine, initial: Sequence[Any]) -> Failure | None:
        """The run of these steps, from what is there at power-on, if it breaks a law on ints."""
        machine.power_on(recorded(initial))
        broken = machine.broken(None, (), None)
        if broken is not None:
            return Failure(Run(machine.initial_answers, ()), broken)
        steps: list[Step] = []
        for op, arguments, answers, _ in taken:
            done = machine.attempt(op, arguments, recorded(answers))
            if done is None:
                return None
            steps.append(done[0])
            broken = machine.broken(op, arguments, done[1])
            if broken is not None:
                return Failure(Run(machine.initial_answers, tuple(steps)), broken)
            machine.settle()
        return None

    def _initial(self, decoder: Decoder) -> Iterator[tuple[Kind, Any]]:
        for name in self.design.arbitrary:
            kind = self.design.table(name)
            table = Table(self.scope._reading, kind, "s")
            for key in self.scope.keys(name):
                leaves = [self.at(t, 0) for t in table.first(key)]
                yield kind.value, decoder.entry(kind.value, leaves)


def _renamed(function: Any, step: int) -> Any:
    domain = [function.domain(i) for i in range(function.arity())]
    return z3.Function(f"{function.name()}@{step}", *domain, function.range())


class _Later:
    """Values of a path's own terms, at one step of a run."""

    def __init__(self, chain: _Chain, decoder: Decoder, step: int) -> None:
        self.chain, self.decoder, self.step = chain, decoder, step

    def of(self, kind: Any, value: Any) -> Any:
        leaves = []
        for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True):
            term = v.term if hasattr(v, "term") else constant(leaf, v)
            leaves.append(self.decoder.scalar(leaf, self.chain.at(term, self.step)))
        return kind.build(iter(leaves))


def _paths(design: Outline, judged: Outline, scope: Scope, clause_laws: Sequence[Any]) -> Iterator[tuple[_Path, list[Counted]]]:
    """Every path of every operation, from an arbitrary state."""
    for op in design.operations:
        if op.split:
            raise BadDesign("bounded model checking takes operations in one step; this design has split ones")
        induction = Induction(judged, op)  # what holds up to here is assumed: a search ends where a law first breaks
        owed = _Owed(design, scope, induction)
        for found in induction.paths():
            terms = tuple((leaf, t) for leaf, t in found.noted.values() if is_given(t))
            wrong = owed.not_met(found)
            if not z3.is_false(wrong):  # it goes wrong there, whatever the text asks afterwards
                yield (
                    _Path(op, tuple(induction.arguments), found.answers, (wrong,), {}, terms, z3.BoolVal(True)),
                    list(found.counts.values()),
                )
            if not found.segments:
                continue
            segment = found.segments[-1]
            reading = Symbolic(design, prune=False)
            written = {}
            for name in segment.written:
                table = getattr(segment.after, name)
                table.reading = reading
                with answering(reading):
                    written[name] = {key: table.peek(key) for key in scope.keys(name)}
            broken = _broken_step(design, op, induction, segment, scope, reading, clause_laws)
            counts = [*found.counts.values(), *reading.counts.values()]
            yield _Path(op, tuple(induction.arguments), segment.answers, segment.conditions, written, terms, broken), counts


class _Owed:
    """What must hold on the way, along the paths of one operation."""

    def __init__(self, design: Outline, scope: Scope, induction: Induction) -> None:
        self.design, self.scope = design, scope
        self.solver = Solver(timeout=SHORT)
        self.hypotheses = induction.hypotheses(induction.base)
        self._met: dict[tuple[frozenset[int], int], Obligation] = {}
        self._told = 0

    def not_met(self, path: Path) -> Term:
        """That some of it does not hold. What was on another path before is left out, and so is what the laws show to hold: before
        the last step they all do."""
        new = {(o.ids, number_of(o.holds)): o for o in path.obligations}
        new = {identity: o for identity, o in new.items() if identity not in self._met}
        self._met |= new  # whole, so that no other term gets the number of one of theirs
        if new:
            self.hypotheses.admit(list(path.lookups.values()), list(path.counts.values()))
            self.hypotheses.saturate()
            self.solver.add(self.hypotheses.asserted[self._told :])
            self._told = len(self.hypotheses.asserted)
        return z3.simplify(
            z3.Or(
                [
                    self._not_met(o)
                    for o in new.values()
                    if self.solver.check(*o.conditions, z3.Not(o.holds), says=f"this does not come about: {o.why}") != z3.unsat
                ]
            )
        )

    def _not_met(self, owed: Obligation) -> Term:
        """That one does not; of what must hold of every entry of a table, that one entry has it not."""
        term = z3.And(*owed.conditions, z3.Not(owed.holds))
        for kind in self.design.tables:
            entries = [z3.substitute(term, *zip(formal(kind).key, key, strict=True)) for key in self.scope.keys(kind.name)]
            if entries and not entries[0].eq(term):
                return z3.Or(entries)
        return term


def _broken_step(
    design: Outline, op: Operation, induction: Induction, segment: Any, scope: Scope, reading: Symbolic, laws: Sequence[Any]
) -> Term:
    given = op.about(segment.before, asking(reading, segment.outcome), [asking(reading, a) for a in induction.arguments])
    for s in (segment.before, segment.after):
        for kind in design.tables:
            getattr(s, kind.name).reading = reading
    denied = []
    returned = type(segment.outcome) if segment.outcome is not None else None
    for law in laws:
        if law.of_state or not law.applies_to(returned):
            continue
        names = arbitrary_names(law, reading)
        with answering(reading):
            goal = claimed(reading, law.function, segment.after, *law.arguments(given, names))
        if z3.is_true(goal):
            continue
        for values in itertools.product(*(scope.names(k) for _, k in law.names)):
            pairs = [(n.term, v) for n, v in zip(names, values, strict=True)]
            denied.append(z3.Not(z3.substitute(goal, *pairs) if pairs else goal))
    return z3.simplify(z3.Or(denied)) if denied else z3.BoolVal(False)


def search(
    design: Outline,
    depth: int,
    *,
    clause: str | None = None,
    seconds: float = 60.0,
    deepen: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> Search:
    """Look for a run of at most ``depth`` steps that breaks a law (of one clause, if one is given), in so many ``seconds``; and for
    longer ones until the search has taken ``deepen`` seconds."""
    began = time.perf_counter()
    judged = design if clause is None else design.restricted(clause)
    laws = list(judged.laws)
    with joined(design):
        formulas = Induction(judged, design.operations[0]).formulas("s")
        scope = Scope(design, [], "s")
        found = list(_paths(design, judged, scope, laws))
        counts = list({c.number.decl().name(): c for _, cs in found for c in cs}.values())
        counts += [c for f in formulas for c in f.counts if c.number.decl().name() not in {x.number.decl().name() for x in counts}]
        chain = _Chain(judged, formulas, [p for p, _ in found], scope, counts)
        chain.begin()
        for step in itertools.count():
            left = (seconds if step <= depth else deepen) - (time.perf_counter() - began)
            if left <= 0:
                break
            if progress:
                progress(step)
            if step > 0:
                chain.extend(step - 1)
            chain.solver.push()
            chain.solver.set("timeout", max(1, int(left * 1000)))
            chain.solver.add(chain.broken(step))
            answer = chain.solver.check()
            if answer == z3.sat:
                failure, geometry = chain.run(chain.solver.model(), step)
                return Search(failure, step, failure is not None, time.perf_counter() - began, geometry)
            chain.solver.pop()
            if answer != z3.unsat:
                break
    return Search(None, max(0, step - 1), step > depth, time.perf_counter() - began, scope.geometry)


__all__ = ["Search", "search"]
