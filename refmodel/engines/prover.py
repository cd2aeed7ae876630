"""Unbounded proofs by induction: an operation, run on an arbitrary lawful state, leaves a lawful state.

No quantifier reaches the solver. To prove a law after an operation, the law is denied at arbitrary names, and every law is
assumed beforehand at the *index set*: the names that the run and the denied law look at (Bradley, Manna and Sipma, VMCAI
2006). No solution means that the law is kept for any number of machines, pages and frames. Where there is one, a counterexample is
looked for among the lawful states of a small size (``scope``), made into a state on ints, and run: it must break the law there
too, or it is not shown, and the obligation is unknown.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs
import z3

from refmodel.engines.audit import Audited, OnTerms
from refmodel.engines.conditions import Counted, Lookup, counting
from refmodel.engines.hypotheses import Formula, Hypotheses, claimed, formula
from refmodel.engines.leaning import CutOffs, laws_used
from refmodel.engines.questions import Solver, about
from refmodel.engines.samples import Sample
from refmodel.engines.scope import Scope, Witness
from refmodel.engines.symbolic import CUT_OFF, Obligation, Symbolic, applied
from refmodel.engines.symbolic_tables import Table
from refmodel.engines.terms import Term, real_term, sort_of
from refmodel.engines.unknowns import reasons
from refmodel.language.asking import Fault, Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.kinds import Kind, NameKind, NaturalKind, Scalar
from refmodel.language.laws import Law
from refmodel.language.opaque import asking, opaque
from refmodel.language.unsound import Unsound

TIMEOUT = 20_000
"""Milliseconds that the solver may take for one question."""

PATHS = 20_000
"""Paths of one operation that are followed; a text with more would never be done."""

ATTEMPTS = 4
"""How often a counterexample is looked for, each time in another order."""

SOUNDNESS = "the text means the same on ints and on terms"
INITIAL = "initial state"
"""What the proof is called that is of no operation."""


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
    leans_on: frozenset[str] = frozenset()
    """The laws that the proof used, where it was asked which."""


@attrs.frozen
class Proof:
    """All obligations of one operation."""

    operation: str
    judgements: tuple[Judgement, ...]
    paths: int
    """How many paths there are. With none the proof says nothing; so for the first it is made sure that a lawful state can take
    it, as far as all that is known tells."""
    seconds: float
    audited: Audited = Audited(0)
    """What of the terms was held against steps on ints."""
    cut_off: frozenset[str] = frozenset()
    """The laws by which paths were cut off as impossible, where it was asked which."""

    def demand(self) -> None:
        """Raise AssertionError unless every obligation is proved."""
        missing = [f"{j.law.name if j.law else SOUNDNESS}: {j.verdict}: {j.why}" for j in self.judgements if j.verdict != "proved"]
        assert not missing, "; ".join(missing)


@attrs.define
class Segment:
    """From one point where others may run to the next: the state before and after, and what is known."""

    before: Any
    after: Any
    conditions: tuple[Term, ...]
    outcome: Any = None
    answers: tuple[Any, ...] = ()
    written: frozenset[str] = frozenset()


@attrs.define
class Path:
    """One way through an operation."""

    segments: list[Segment]
    """None where the operation turns out not to apply, after something that must hold."""
    lookups: dict[tuple[Any, ...], Lookup]
    counts: dict[int, Counted]
    noted: dict[int, tuple[Scalar, Term]]
    obligations: list[Obligation]
    answers: tuple[Any, ...]
    """What the text asked, and was answered, up to where it ends."""


Goal = tuple[Law, Segment, Term | None]
"""What must hold after a segment; None where the segment wrote nothing that the law speaks of."""

# ---------------------------------------------------------------- one operation


class Induction:
    """The obligations of one operation."""

    def __init__(self, design: Outline, op: Operation, clause: str | None = None, timeout: int = TIMEOUT, base: str = "s",
                 samples: Sequence[Sample] = (), asks_why: bool = False) -> None:
        self.asks_why = asks_why
        """Whether each proof is to say which laws it used: that takes a question more for each."""
        self.design, self.op, self.timeout, self.base = design, op, timeout, base
        self.audit = OnTerms(design, design.cls.geometry, samples)
        self.laws = [law for law in design.laws if clause in (None, law.clause)]
        self._formulas: dict[str, list[Formula]] = {}
        self._scope: Scope | None = None
        self._taken = self._kept = False
        self._open: list[Callable[[], Iterator[Judgement]] | None] = []
        """For each path, how to ask again where nobody knows (None where everything is known)."""
        self.explains = False
        """Whether a counterexample is looked for where the text may go wrong, too."""
        self._near, self._far = 0, 0
        """For how many paths it did to look near, and for how many it did not."""
        self._shared = Hypotheses(design, self.formulas(base), base)
        self._cut_offs = CutOffs() if asks_why else None

    def formulas(self, base: str) -> list[Formula]:
        """The laws of states, as formulas about this arbitrary state."""
        if base not in self._formulas:
            self._formulas[base] = [formula(self.design, law, base) for law in self.design.laws if law.of_state]
        return self._formulas[base]

    def prove(self, to_the_end: bool = True) -> Proof:
        """Every law, after every path; unless asked to go to the end, no further than the first path that breaks one."""
        began = time.perf_counter()
        judged: list[list[Judgement]] = []
        number, refuted, self.explains = 0, False, to_the_end
        for path in self.paths():
            if not to_the_end and refuted:
                break
            judged.append(list(self._path(path)))
            number += bool(judged[-1] and self._kept)
            refuted = refuted or any(j.verdict == "refuted" for j in judged[-1])
            if len(self._open) == len(judged) - 1:
                self._open.append(None)
        for at, again in enumerate(self._open):
            if again is not None and not refuted:  # what is wrong is wrong; where nobody knows, more is tried
                judged[at] = list(again())
        spent: dict[str, float] = {}
        verdicts: dict[str, Judgement] = {}
        for judgement in itertools.chain(*judged):
            key = judgement.law.name if judgement.law else SOUNDNESS
            spent[key] = spent.get(key, 0.0) + judgement.seconds
            verdicts[key] = _worse(verdicts.get(key), judgement)
        self.audit.assumed(self._shared.asserted, self._shared.counts.values())
        judgements = tuple(attrs.evolve(j, seconds=spent[k]) for k, j in verdicts.items())
        cut_off = frozenset(self._cut_offs.used) if self._cut_offs else frozenset()
        return Proof(self.op.name, judgements, number, time.perf_counter() - began, self.audit.finished(to_the_end or not refuted),
                     cut_off)

    # ------------------------------------------------------------ running the text

    def paths(self) -> Iterator[Path]:
        """Every path of the operation from an arbitrary state, but for those that no lawful state can take as far as is known."""
        reading = Symbolic(self.design)
        reading.solver = self._cut_offs or reading.solver
        reading.choices = "choice!" if self.base == "s" else f"{self.base}.choice!"
        with answering(reading):
            for number, _ in enumerate(reading.paths()):
                if number > PATHS:
                    raise Unsound(f"{self.op.name} has more than {PATHS:,} paths, too many to prove; split it into several")
                base = reading.state(self.base)
                arguments = [reading.arbitrary(kind, f"{self.op.name}!{p}") for p, kind in self.op.parameters]
                self.arguments = arguments
                reading.conditions += [real for (_, kind), argument in zip(self.op.parameters, arguments, strict=True)
                                       for real in _real(kind, argument)]
                segments = []
                try:
                    for segment in self._run(reading, base, arguments):
                        segments.append(segment)
                except Refused:  # what must hold before that must hold all the same
                    if not segments and not reading.obligations:
                        continue
                self._learn(reading)
                yield Path(segments, dict(reading.lookups), dict(reading.counts), dict(reading.noted),
                            list(reading.obligations), tuple(reading.answers))

    def _learn(self, reading: Symbolic) -> None:
        """What the laws say of this path's lookups prunes later paths: the terms are the same ones."""
        size = len(self._shared.asserted)
        self._shared.admit(list(reading.lookups.values()), list(reading.counts.values()))
        self._shared.saturate()
        for number, term in enumerate(self._shared.asserted[size:], size):
            law = self._shared.of_law.get(number)
            if self._cut_offs is None or law is None:
                reading.solver.add(term)
            else:
                self._cut_offs.add_law(law, term)

    def _run(self, reading: Symbolic, state: Any, arguments: list[Any]) -> Iterator[Segment]:
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
                getattr(state, kind.name).forget(f"s{number}")
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

    def _segment(self, reading: Symbolic, before: Any, state: Any, outcome: Any) -> Segment:
        written = frozenset(k.name for k in self.design.tables if getattr(state, k.name).writes)
        return Segment(before, self._snapshot(state), tuple(reading.conditions), outcome, tuple(reading.answers), written)

    # ------------------------------------------------------------ judging a path

    def _path(self, path: Path) -> Iterator[Judgement]:
        began = time.perf_counter()
        found = self._asked(path)
        if found is None:
            return
        share = (time.perf_counter() - began) / max(1, len(found.goals))
        asked: list[tuple[Judgement, tuple[Term, ...]]] = []
        for obligation in found.path.obligations:
            shown = Judgement(self.op.name, None, "proved", 0.0) if found.together else found.ask.obligation(obligation)
            asked.append((shown, (*obligation.conditions, z3.Not(obligation.holds))))
        for law, segment, goal in found.goals:
            if goal is None:
                asked.append((Judgement(self.op.name, law, "proved", share), ()))
                continue
            shown = Judgement(self.op.name, law, "proved", 0.0) if found.together else found.ask.about(law, segment, z3.Not(goal))
            asked.append((attrs.evolve(shown, seconds=shown.seconds + share), (*segment.conditions, z3.Not(goal))))
        if any(j.verdict == "unknown" for j, _ in asked):
            self._open.append(partial(self._once_more, found, asked))
        for shown, claim in asked:
            yield self._with_why(found.ask, shown, claim)

    def _once_more(self, found: _Asked, asked: Sequence[tuple[Judgement, tuple[Term, ...]]]) -> Iterator[Judgement]:
        """Where nobody knows, ask again with all that may help."""
        for hypotheses in found.known.values():
            hypotheses.go_farthest()
        ask = _Question(self, found.path, found.known, found.terms, self._solver(found.known))
        for shown, claim in asked:
            proved = shown.verdict == "unknown" and ask.refutes(claim)
            yield self._with_why(ask, attrs.evolve(shown, verdict="proved", why="") if proved else shown, claim)

    def _with_why(self, ask: _Question, shown: Judgement, claim: Sequence[Term]) -> Judgement:
        """The judgement with the laws that it leans on, if it is a proof and they are asked for. An unknown comes with what can be
        said of it."""
        if shown.verdict == "unknown" and claim:
            return attrs.evolve(shown, why=f"{shown.why}. {reasons(claim[:-1], ask.known.values(), claim[-1])}")
        if not self.asks_why or shown.verdict != "proved" or not claim:
            return shown
        return attrs.evolve(shown, leans_on=laws_used(ask.known.values(), (*claim, *ask.real), self.timeout))

    def _asked(self, path: Path) -> _Asked | None:
        """The questions of a path, and whether all of them together are answered; None if no lawful state takes the path and
        nothing has to hold on the way."""
        bases = dict.fromkeys([self.base, *(_base_of(self.design, s.before) for s in path.segments)])
        known = {base: self._shared.copy() if base == self.base else Hypotheses(self.design, self.formulas(base), base)
                 for base in bases}
        far = not self._taken or self._far > self._near  # that there is a path at all is to be known for certain
        for hypotheses in known.values():
            hypotheses.admit(list(path.lookups.values()), list(path.counts.values()))
            hypotheses.saturate()
            if far:
                hypotheses.go_far()
        if path.segments and self._solver(known).check(*path.segments[0].conditions, says=CUT_OFF) == z3.unsat:
            if self._cut_offs is not None:
                self._cut_offs.used |= laws_used(known.values(), path.segments[0].conditions, self.timeout)
            if not path.obligations:
                return None  # the path cannot be taken; a later segment that cannot be says nothing of the first
            path = attrs.evolve(path, segments=[])  # but what must hold on the way must hold, for those that get that far
        self._kept = bool(path.segments)
        self._taken = self._taken or self._kept
        reading = Symbolic(self.design, prune=False)
        goals = list(self._goals(path, reading))
        for hypotheses in known.values():
            hypotheses.admit(list(reading.lookups.values()), list(reading.counts.values()))
            hypotheses.saturate()
        self.audit.path(self, path, goals, reading.counts)
        terms = {**path.noted, **reading.noted}
        claims = [(segment, goal) for _, segment, goal in goals if goal is not None]
        ask = _Question(self, path, known, terms, self._solver(known))
        together = ask.all_at_once(path.obligations, claims)
        self._near += together and not far
        if not together and not far:
            self._far += 1
            for hypotheses in known.values():
                hypotheses.go_far()
            ask = _Question(self, path, known, terms, self._solver(known))
            together = ask.all_at_once(path.obligations, claims)
        return _Asked(path, known, terms, ask, goals, together)

    def doubts(self) -> Iterator[Judgement]:
        """What is not proved, as it is found, path by path. At the end of a path that nothing is wrong with stands one judgement
        of no law: whoever only wants to know whether there is a doubt stops at the first that is not proved."""
        for path in self.paths():
            found = self._asked(path)
            if found is None:
                continue
            if not found.together:
                yield from (j for o in found.path.obligations if (j := found.ask.obligation(o)).verdict != "proved")
                yield from (j for law, segment, goal in found.goals if goal is not None
                            if (j := found.ask.about(law, segment, z3.Not(goal))).verdict != "proved")
            if found.path.segments:
                yield Judgement(self.op.name, None, "proved", 0.0)

    def _goals(self, path: Path, reading: Symbolic) -> Iterator[Goal]:
        """What must hold after each segment, at arbitrary names; None where the segment wrote nothing it speaks of."""
        for segment in path.segments:
            last = segment is path.segments[-1]
            for s in (segment.before, segment.after):
                for kind in self.design.tables:
                    getattr(s, kind.name).reading = reading
            returned = type(segment.outcome) if segment.outcome is not None else None
            outcome = asking(reading, segment.outcome)  # what laws ask of it is a matter of their own, not of the path's
            given = self.op.about(segment.before, outcome, [asking(reading, a) for a in self.arguments])
            for law in self.laws:
                if law.of_state and self._untouched(law, segment):
                    yield law, segment, None
                elif law.of_state or (law.applies_to(returned) and (last or law.outcome is None)):
                    names = self._arbitrary_names(law, reading)
                    with answering(reading):
                        yield law, segment, claimed(reading, law.function, segment.after, *law.arguments(given, names))

    def names_of(self, law: Law) -> list[Term]:
        """What the names that a law is claimed for are called in goals."""
        return [n.term for n in self._arbitrary_names(law, Symbolic(self.design, prune=False))]

    def _arbitrary_names(self, law: Law, reading: Symbolic) -> list[Any]:
        """The same arbitrary names for every law, so that laws share an index set."""
        used: dict[str, int] = {}
        names = []
        for _, kind in law.names:
            sort = str(sort_of(kind))
            used[sort] = used.get(sort, 0) + 1
            names.append(reading.arbitrary(kind, f"any!!{sort}.{used[sort]}"))
        return names

    def _untouched(self, law: Law, segment: Segment) -> bool:
        formula = next(f for f in self.formulas(_base_of(self.design, segment.before)) if f.law is law)
        return not formula.tables & segment.written

    def _solver(self, known: dict[str, Hypotheses]) -> Any:
        solver = Solver(timeout=self.timeout)
        for hypotheses in known.values():
            solver.add(*hypotheses.asserted)
        return solver

    def scope(self) -> Scope:
        """The lawful states of the design's own geometry."""
        if self._scope is None:
            self._scope = Scope(self.design, self.formulas("s"), "s")
        return self._scope


def _real(kind: Kind, value: Any) -> list[Term]:
    """What holds of an argument: a name is not NOTHING (those in a record may be), and a number not below zero."""
    if isinstance(kind, NameKind):
        return real_term(kind, value.term)
    return [t for (_, leaf), v in zip(kind.leaves(), kind.flatten(value), strict=True) if isinstance(leaf, NaturalKind)
            for t in real_term(leaf, v.term)]


def _base_of(design: Outline, state: Any) -> str:
    """Which arbitrary state a state was made from."""
    base: str = getattr(state, design.tables[0].name).base
    return base


class _Question:
    """The solver, knowing a path and the laws that may be assumed, asked about one goal after the other."""

    def __init__(self, induction: Induction, path: Path, known: dict[str, Hypotheses],
                 terms: dict[int, tuple[Scalar, Term]], solver: Any) -> None:
        self.induction, self.path, self.known, self.terms, self.solver = induction, path, known, terms, solver
        self.real = [real for leaf, t in terms.values() if z3.is_const(t) and str(t).startswith("any!!")
                     for real in real_term(leaf, t)]

    def all_at_once(self, obligations: Sequence[Obligation], goals: Sequence[tuple[Segment, Term]]) -> bool:
        """Whether nothing of it all can fail: one question for the solver, where it nearly always is so. If not, each is asked
        about by itself."""
        failing = [z3.And(*o.conditions, z3.Not(o.holds)) for o in obligations]
        failing += [z3.And(*segment.conditions, z3.Not(goal)) for segment, goal in goals]
        says = f"along this path every obligation of the text ({len(obligations)}) and every law ({len(goals)}) holds"
        return not failing or self._refuted((z3.Or(failing),), says) == "proved"

    def about(self, law: Law, segment: Segment, denied: Term) -> Judgement:
        """Whether the denied law has no model."""
        began = time.perf_counter()
        witness: Witness | None = None
        verdict, why = self._refuted((*segment.conditions, denied), f"after this path {law.name} holds"), ""
        if verdict == "not proved":
            if len(self.known) > 1:
                verdict, why = "unknown", "not proved; the state after a yield may be any lawful one"
            else:
                verdict, witness, why = self._in_scope(law, segment.conditions, segment.answers, denied)
        elif verdict != "proved":
            verdict, why = "unknown", verdict
        return Judgement(self.induction.op.name, law, verdict, time.perf_counter() - began, witness, why)

    def obligation(self, obligation: Obligation) -> Judgement:
        """Whether an obligation holds where it arose: what the text requires after that excuses nothing before it."""
        began = time.perf_counter()
        answer = self._refuted((*obligation.conditions, z3.Not(obligation.holds)), f"this does not come about: {obligation.why}")
        if answer == "proved":
            return Judgement(self.induction.op.name, None, "proved", time.perf_counter() - began)
        witness: Witness | None = None
        if answer == "not proved" and len(self.known) == 1 and self.induction.explains:
            answers = self.path.answers
            _, witness, _ = self._in_scope(None, obligation.conditions, answers, z3.Not(obligation.holds))
        return Judgement(self.induction.op.name, None, "unknown", time.perf_counter() - began, witness,
                         why=f"{answer}: {obligation.why}")

    def refutes(self, claim: tuple[Term, ...]) -> bool:
        """Whether the claim has no model."""
        return self._refuted(claim, "this path leads to nothing that must not be") == "proved"

    def _refuted(self, claim: tuple[Term, ...], says: str) -> str:
        """``proved`` if the claim has no model, ``not proved`` if it has one, and otherwise why nobody knows."""
        self.solver.push()
        try:
            self.solver.add(*claim, *self.real)
            answer = self.solver.check(says=says)
            if answer == z3.unknown:
                return f"the solver gave up: {self.solver.reason_unknown()}"
            return "proved" if answer == z3.unsat else "not proved"
        finally:
            self.solver.pop()

    def _in_scope(self, law: Law | None, conditions: Sequence[Term], answers: Sequence[Any], denied: Term
                  ) -> tuple[str, Witness | None, str]:
        """Look for a counterexample of a small size."""
        induction = self.induction
        scope = induction.scope()
        size = len(scope.asserted)
        scope.count(self.path.counts.values())
        solver = scope.solver(induction.timeout // ATTEMPTS)
        del scope.asserted[size:]
        solver.add(*conditions, denied, *self.real)
        for leaf, term in self.terms.values():
            if isinstance(leaf, NameKind) and z3.is_const(term):
                solver.add(scope.among(leaf, term))
            elif isinstance(leaf, NaturalKind):
                solver.add(term >= 0, term <= scope.geometry.naturals)
        answer = z3.unknown
        for seed in range(ATTEMPTS):  # what is hard for the solver in one order may be easy in another
            solver.set("random_seed", seed)
            answer = solver.check()
            if answer != z3.unknown:
                break
        if answer == z3.unknown:
            return "unknown", None, f"not proved; looking for a counterexample, the solver gave up: {solver.reason_unknown()}"
        if answer == z3.unsat:
            return "unknown", None, f"not proved, and no counterexample with {scope.geometry}; a larger geometry may have one"
        witness = scope.witness(solver.model(), induction.op, induction.arguments, answers, law)
        if witness is None:
            return "unknown", None, "not proved; the solver's counterexample does not happen on ints"
        return "refuted", witness, ""


@attrs.frozen
class _Asked:
    """A path that was asked about: what is known there, what has to hold, and whether all of it was proved at once."""

    path: Path
    known: dict[str, Hypotheses]
    terms: dict[int, tuple[Scalar, Term]]
    ask: _Question
    goals: list[Goal]
    together: bool


_ORDER = {"proved": 0, "unknown": 1, "refuted": 2}


def _worse(a: Judgement | None, b: Judgement) -> Judgement:
    if a is None:
        return b
    shows = _ORDER[b.verdict] == _ORDER[a.verdict] and a.witness is None and b.witness is not None
    worse = b if _ORDER[b.verdict] > _ORDER[a.verdict] or shows else a
    return attrs.evolve(worse, leans_on=a.leans_on | b.leans_on)


def prove_operation(design: Outline, name: str, clause: str | None = None, *, to_the_end: bool = True,
                    timeout: int = TIMEOUT, samples: Sequence[Sample] = (), asks_why: bool = False) -> Proof:
    """The obligations of one operation, or those of one clause; every law may be assumed beforehand. What is proved is held against
    the samples, steps on ints. ``asks_why``: each proof says which laws it used."""
    with joined(design), about(name):
        return Induction(design, design.operation(name), clause, timeout, samples=samples, asks_why=asks_why).prove(to_the_end)


# ---------------------------------------------------------------- the initial states


def prove_initial(design: Outline, clause: str | None = None, timeout: int = TIMEOUT) -> Proof:
    """The laws hold before anything has happened, for any number of names."""
    began = time.perf_counter()
    judgements = []
    with joined(design), about(INITIAL):
        for law in design.laws:
            if law.of_state and clause in (None, law.clause):
                judgements.append(_initially(design, law, timeout))
    return Proof(INITIAL, tuple(judgements), 1, time.perf_counter() - began)


def _initially(design: Outline, law: Law, timeout: int) -> Judgement:
    began = time.perf_counter()
    reading = _Initially(design, prune=False)
    with answering(reading):
        state = reading.state("s")
        for kind in design.tables:
            if kind.name not in design.cls.arbitrary:
                getattr(state, kind.name).reset(lambda *_: True)
        names = [reading.arbitrary(kind, f"any!!{n}") for n, kind in law.names]
        reading.real = [real for (_, leaf), name in zip(law.names, names, strict=True) for real in real_term(leaf, name.term)]
        goal = claimed(reading, law.function, state, *names)
    solver = Solver(z3.Not(goal), *reading.conditions, timeout=timeout)
    solver.add(*reading.real)
    answer = solver.check(says=f"at first {law.name} holds")
    if answer == z3.unsat:
        return Judgement(INITIAL, law, "proved", time.perf_counter() - began)
    why = "it does not follow from the initial state" if answer == z3.sat else f"the solver gave up: {solver.reason_unknown()}"
    return Judgement(INITIAL, law, "unknown", time.perf_counter() - began, why=why)


class _Initially(Symbolic):
    """Before anything has happened a count is known where it counts no default: everything is at its default."""

    real: Sequence[Term] = ()
    """That the names which the law is claimed for are not NOTHING."""

    def count(self, table: Table, where: Any) -> Any:
        condition, spoken_of = counting(table, where)
        names = [self.arbitrary(kind, f"counted.{i}") for i, kind in enumerate(table.kind.keys)]
        initial = table.initial()
        holds = condition.holds([n.term for n in names], initial if table.domain is None else initial[1:], spoken_of)
        empty = table.domain is not None and table.kind.name not in self.arbitrary_tables
        if table.kind.name not in self.arbitrary_tables and (empty or self._never(holds)):
            return opaque(self, NaturalKind(), z3.IntVal(0))
        number = applied(f"count.{table.kind.name}.{condition.name}", spoken_of, z3.IntSort())
        return opaque(self, NaturalKind(), z3.If(number >= 0, number, z3.IntVal(0)))

    def _never(self, holds: Term) -> bool:
        """Whether a condition cannot hold of names that there are."""
        return z3.is_false(holds) or bool(Solver(*self.real, holds).check(says="at first no entry counts") == z3.unsat)

    @property
    def arbitrary_tables(self) -> tuple[str, ...]:
        return () if self.design is None else self.design.cls.arbitrary


def audit_operation(design: Outline, name: str, samples: Sequence[Sample]) -> Audited:
    """What the text of an operation is on terms, held against steps on ints; nothing is proved."""
    with joined(design):
        induction = Induction(design, design.operation(name), samples=samples)
        for path in induction.paths():
            reading = Symbolic(design, prune=False)
            induction.audit.path(induction, path, list(induction._goals(path, reading)), reading.counts)
        induction.audit.assumed(induction._shared.asserted, induction._shared.counts.values())
        return induction.audit.finished(every_path=True)
