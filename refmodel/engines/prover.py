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
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import attrs
import z3

from refmodel.bare_machines import bare_machine
from refmodel.engines.audit import Audited, OnTerms
from refmodel.engines.collecting import rarely_collected
from refmodel.engines.conditions import Counted, Lookup
from refmodel.engines.connectives import negation, number_of
from refmodel.engines.discharging import Discharge
from refmodel.engines.formulas import Formula, forget_instances, formulas
from refmodel.engines.goals import Goal, Goals, arbitrary_names
from refmodel.engines.hypotheses import FAR, NEAR, Hypotheses
from refmodel.engines.initially import prove_initial
from refmodel.engines.instances import Instances, instances_of
from refmodel.engines.judgements import INITIAL, SOUNDNESS, Judgement, Proof, together, worse
from refmodel.engines.leaning import CutOffs
from refmodel.engines.merging import MOST, NONE, SOME, attempts
from refmodel.engines.paths import PATHS, Path, Runs, Segment, real
from refmodel.engines.questions import TIMEOUT, about
from refmodel.engines.samples import Sample
from refmodel.engines.scope import Scope, larger, small
from refmodel.engines.simulation import Simulated, simulated
from refmodel.engines.standing import Claim, Shown, Standing
from refmodel.engines.symbolic import CUT_OFF, Obligation, Symbolic
from refmodel.engines.terms import Term, argument
from refmodel.engines.unknowns import reasons
from refmodel.language.asking import Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.laws import Law
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import Unsound

__all__ = [
    "INITIAL",
    "SOUNDNESS",
    "TIMEOUT",
    "Audited",
    "Induction",
    "Judgement",
    "Path",
    "Proof",
    "Segment",
    "audit_operation",
    "prove_initial",
    "prove_operation",
    "prove_simulated",
]


@attrs.frozen
class _Asked:
    """A path that was asked about: what has to hold, and what of it is not proved."""

    ask: Discharge
    goals: list[Goal]
    failing: frozenset[Any]

    def obligation(self, obligation: Obligation) -> Judgement:
        """What comes of an obligation of the text."""
        if (obligation.ids, number_of(obligation.holds)) in self.failing:
            return self.ask.obligation(obligation)
        return Judgement(self.ask.induction.op.name, None, "proved", 0.0)

    def law(self, law: Law, segment: Segment, goal: Term | None) -> Judgement:
        """What comes of a law."""
        if goal is not None and (segment.ids, number_of(goal)) in self.failing:
            return self.ask.about(law, segment, negation(goal))
        return Judgement(self.ask.induction.op.name, law, "proved", 0.0)


class Induction:
    """The obligations of one operation."""

    def __init__(
        self,
        design: Outline,
        op: Operation,
        clause: str | None = None,
        timeout: int = TIMEOUT,
        base: str = "s",
        samples: Sequence[Sample] = (),
        asks_why: bool = False,
        known: dict[str, Sequence[Formula]] | None = None,
        merges: int = NONE,
        only: Collection[Law | None] | None = None,
        tries_harder: bool = True,
    ) -> None:
        """``known`` keeps the laws of an arbitrary state as formulas, for other operations of the design. ``merges``: which
        paths of helpers are put together behind their calls. ``only``: the laws that are to be proved, if not all of them are."""
        self.merges, self._only = merges, only
        self.left: set[Law | None] = set()
        """What is not proved where paths are put together, and may be path by path; None: what the text is obliged to."""
        self._known = {} if known is None else known
        self.asks_why, self.tries_harder = asks_why, tries_harder
        """Whether each proof is to say which laws it used: that takes a question more for each."""
        self.design, self.op, self.timeout, self.base = design, op, timeout, base
        self.audit = OnTerms(design, design.cls.geometry, samples)
        self.laws = [law for law in design.laws if law.is_asked(clause)]
        self._instances: dict[str, Instances] = {}
        self._runs = Runs(design, op)
        self._goals = Goals(design, op, self.formulas)
        self._shown = Shown()
        self._balance = Counter[str]()
        """How often laws had to be assumed farther from the run, less how often they had not, for each claim."""
        self._near = Standing(self.hypotheses, timeout, NEAR)
        self._far = Standing(self.hypotheses, timeout, FAR)
        self._scopes: dict[tuple[str, int], Scope] = {}
        self._taken = self._kept = False
        self._open: list[Callable[[], Iterator[Judgement]] | None] = []
        """For each path, how to ask again where nobody knows (None where everything is known)."""
        self.explains = False
        """Whether a counterexample is looked for where the text may go wrong, too."""
        self._shared = self.hypotheses(base)
        self.reads: Callable[[Outline], Symbolic] = Symbolic
        """What reads the text, and answers what it asks."""
        self._cut_offs = CutOffs() if asks_why else None
        self._assumed: list[Term] = []
        self.followed: list[Path] | None = None
        """The paths that were judged, where they are to be kept; without segments where no lawful state takes one."""

    def assume(self, terms: Sequence[Term], lookups: Sequence[Lookup], counts: Sequence[Counted]) -> None:
        """Follow the paths from lawful states only in which these hold too; they look at and count these."""
        self._assumed += terms
        self._shared.admit(lookups, counts)
        self._shared.saturate()

    def formulas(self, base: str) -> Sequence[Formula]:
        """The laws of states, as formulas about this arbitrary state."""
        return self._of(base).formulas

    def hypotheses(self, base: str) -> Hypotheses:
        """The laws of this arbitrary state, to be assumed wherever something is looked at."""
        return Hypotheses(self._of(base))

    def _of(self, base: str) -> Instances:
        if base not in self._instances:
            if base not in self._known:
                self._known[base] = formulas(self.design, base)
            self._instances[base] = instances_of(self.design, self._known[base], base)
        return self._instances[base]

    def prove(self, to_the_end: bool = True) -> Proof:
        """Every law, after every path; unless asked to go to the end, no further than the first path that breaks one."""
        began = time.perf_counter()
        judged: list[list[Judgement]] = []
        number, refuted, whole, self.explains = 0, False, True, to_the_end
        for path in self.paths():
            if not to_the_end and refuted:
                whole = False
                break
            self._kept = False
            judged.append(list(self._path(path)))
            if self.followed is not None:
                self.followed.append(path)
            number += self._kept
            refuted = refuted or any(j.verdict == "refuted" for j in judged[-1])
            if len(self._open) == len(judged) - 1:
                self._open.append(None)
        for at, again in enumerate(self._open):
            if again is not None and not refuted and self.tries_harder:  # what is wrong is wrong; where nobody knows, more is tried
                judged[at] = list(again())
        spent: dict[str, float] = {}
        verdicts: dict[str, Judgement] = {}
        for judgement in itertools.chain(*judged):
            key = judgement.law.name if judgement.law else SOUNDNESS
            spent[key] = spent.get(key, 0.0) + judgement.seconds
            verdicts[key] = worse(verdicts.get(key), judgement)
        for law in self.left:
            verdicts.pop(law.name if law else SOUNDNESS, None)
        self.audit.assumed(self._shared.asserted, self._shared.counts.values())
        shown = {k: j for k, j in verdicts.items() if whole or j.verdict != "proved"}
        judgements = tuple(attrs.evolve(j, seconds=spent[k]) for k, j in shown.items())
        cut_off = frozenset(self._cut_offs.used) if self._cut_offs else frozenset()
        spent_in_all, audited = time.perf_counter() - began, self.audit.finished(to_the_end or not refuted)
        return Proof(self.op.name, judgements, number, spent_in_all, audited, whole, cut_off)

    # ------------------------------------------------------------ running the text

    def paths(self) -> Iterator[Path]:
        """Every path of the operation from an arbitrary state, but for those that no lawful state can take as far as is known."""
        reading = self.reads(self.design)
        reading.merges = self.merges
        reading.solver = self._pruning = self._cut_offs or reading.solver
        reading.solver.add(*self._assumed, *self._shared.asserted)
        reading.choices = "choice!" if self.base == "s" else f"{self.base}.choice!"
        with answering(reading):
            for number, _ in enumerate(reading.paths()):
                if number > PATHS:
                    raise Unsound(f"{self.op.name} has more than {PATHS:,} paths, too many to prove; split it into several")
                base = reading.state(self.base)
                arguments = [reading.arbitrary(kind, argument(p)) for p, kind in self.op.parameters]
                self.arguments = arguments
                reading.conditions += [
                    term for (_, kind), argument in zip(self.op.parameters, arguments, strict=True) for term in real(kind, argument)
                ]
                segments = []
                try:
                    for segment in self._runs.segments(reading, base, arguments):
                        segments.append(segment)
                except Refused:  # what must hold before that must hold all the same
                    if not segments and not reading.obligations:
                        continue
                self._learn(reading)
                yield Path(
                    segments,
                    dict(reading.lookups),
                    dict(reading.counts),
                    dict(reading.noted),
                    list(reading.obligations),
                    tuple(reading.answers),
                )

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

    # ------------------------------------------------------------ judging a path

    def _path(self, path: Path) -> Iterator[Judgement]:
        began = time.perf_counter()
        found = self._asked(path)
        if found is None:
            return
        share = (time.perf_counter() - began) / max(1, len(found.goals))
        asked: list[tuple[Judgement, tuple[Term, ...]]] = []
        for obligation in path.obligations if self._is_due(None) else ():
            asked.append((found.obligation(obligation), (*obligation.conditions, negation(obligation.holds))))
        for law, segment, goal in found.goals:
            if not self._is_due(law):
                continue
            shown = found.law(law, segment, goal)
            claim = () if goal is None else (*segment.conditions, negation(goal))
            asked.append((attrs.evolve(shown, seconds=shown.seconds + share), claim))
        if any(j.verdict == "unknown" for j, _ in asked):
            self._open.append(partial(self._once_more, found.ask, asked))
        for shown, claim in asked:
            yield self._with_why(found.ask, shown, claim)

    def _once_more(self, ask: Discharge, asked: Sequence[tuple[Judgement, tuple[Term, ...]]]) -> Iterator[Judgement]:
        """Where nobody knows, ask again with all that may help."""
        left = {number for number, (shown, _) in enumerate(asked) if shown.verdict == "unknown"}
        for go in (ask.go_by_values, ask.go_farthest, ask.go_beyond, ask.go_everywhere):
            before = ask.assumed
            if left:
                go()
            if left and ask.assumed > before:
                left = {number for number in left if not ask.refutes(asked[number][1])}
        for number, (shown, claim) in enumerate(asked):
            proved = shown.verdict == "unknown" and number not in left
            yield self._with_why(ask, attrs.evolve(shown, verdict="proved", why="") if proved else shown, claim)

    def _with_why(self, ask: Discharge, shown: Judgement, claim: Sequence[Term]) -> Judgement:
        """The judgement with the laws that it leans on, if it is a proof and they are asked for. An unknown comes with what can be
        said of it."""
        if shown.verdict == "unknown" and claim:
            return attrs.evolve(shown, why=f"{shown.why}. {reasons(claim[:-1], ask.known.values(), claim[-1])}")
        if not self.asks_why or shown.verdict != "proved" or not claim:
            return shown
        return attrs.evolve(shown, leans_on=ask.laws_used(claim))

    def _asked(self, path: Path) -> _Asked | None:
        """What must hold along a path and after it, and what of that is not proved. None if no lawful state takes the path and
        nothing has to hold on the way."""
        looked_far = self._looks_far
        if path.segments and not self._may_be_taken(path, looked_far):
            path.segments = []  # a later segment that cannot be taken says nothing of the first
        if not path.segments and not path.obligations:
            return None  # what must hold on the way must hold, for those that get that far
        reading = Symbolic(self.design, prune=False)
        goals = list(self.goals(path, reading))
        ask = Discharge(self, path, reading)
        near, far = self._near_and_far(path, goals)
        missing = self._missing(self._near, ask, near)
        if missing and path.segments and not looked_far and not self._may_be_taken(path, far=True):
            path.segments = []
            return self._asked(path)
        self._balance.update({c.of: 2 for c in missing})
        self._balance.subtract(c.of for c in near)
        self.audit.path(self, path, goals, reading.counts)
        self._kept = bool(path.segments)
        self._taken = self._taken or self._kept
        failing = self._missing(self._far, ask, far + missing)
        if self.merges:
            self.left.update(claim.law for claim in failing)
        return _Asked(ask, goals, frozenset([claim.identity for claim in failing]))

    def _is_due(self, law: Law | None) -> bool:
        """Whether a law is to be proved, as far as is known; None: what the text is obliged to."""
        return law not in self.left and (self._only is None or law in self._only)

    @property
    def _looks_far(self) -> bool:
        """Whether laws are assumed far from a path to see that it can be taken. That there is a path at all is to be known for
        certain; later it depends on what that was good for before."""
        return not self._taken or self._balance[CUT_OFF] > 0

    def _may_be_taken(self, path: Path, far: bool) -> bool:
        """Whether nothing is known against a path."""
        conditions = path.segments[0].conditions
        if self._pruning.check(*conditions, says=CUT_OFF) == z3.unsat:
            return False
        if not far:
            return True
        ask = Discharge(self, path, Symbolic(self.design, prune=False))
        possible = self._far.may_hold(ask, conditions)
        self._balance[CUT_OFF] += -1 if possible else 1
        if not possible and self._cut_offs is not None:
            self._cut_offs.used |= ask.laws_used(conditions)
        return possible

    def _near_and_far(self, path: Path, goals: Sequence[Goal]) -> tuple[list[Claim], list[Claim]]:
        """What is not shown yet: claims for which laws are assumed near the run first, and those for which that was mostly too
        little."""
        claims = [Claim(o.conditions, o.ids, o.holds, o.why) for o in path.obligations if self._is_due(None)]
        claims += [
            Claim(s.conditions, s.ids, goal, law.name, law) for law, s, goal in goals if goal is not None and self._is_due(law)
        ]
        todo = [c for c in claims if c not in self._shown]
        return [c for c in todo if self._balance[c.of] <= 0], [c for c in todo if self._balance[c.of] > 0]

    def _missing(self, standing: Standing, ask: Discharge, claims: Sequence[Claim]) -> list[Claim]:
        """The claims that are not proved."""
        return standing.failing(ask, claims, self._shown) if claims else []

    def doubts(self) -> Iterator[Judgement]:
        """What is not proved, as it is found, path by path. At the end of a path that nothing is wrong with stands one judgement
        of no law: whoever only wants to know whether there is a doubt stops at the first that is not proved."""
        for path in self.paths():
            found = self._asked(path)
            if found is None:
                continue
            judged = itertools.chain(map(found.obligation, path.obligations), itertools.starmap(found.law, found.goals))
            yield from (j for j in judged if j.verdict != "proved")
            if path.segments:
                yield Judgement(self.op.name, None, "proved", 0.0)

    def goals(self, path: Path, reading: Symbolic) -> Iterator[Goal]:
        """What must hold after a path."""
        return self._goals.after(path, self.laws, self.arguments, reading)

    def names_of(self, law: Law) -> list[Term]:
        """What the names that a law is claimed for are called in goals."""
        return [n.term for n in arbitrary_names(law, Symbolic(self.design, prune=False))]

    def scopes(self, bases: Sequence[str]) -> Iterator[list[Scope]]:
        """The lawful states of the design's own geometry, and those of a larger one where that is not too much; for each of these
        arbitrary states."""
        for number, geometry in enumerate((small(self.design, 0), larger(self.design))):
            if geometry is not None:
                yield [self._scope(base, number, geometry) for base in bases]

    def _scope(self, base: str, number: int, geometry: Geometry) -> Scope:
        if (base, number) not in self._scopes:
            self._scopes[base, number] = Scope(self.design, self.formulas(base), base, geometry)
        return self._scopes[base, number]


def prove_operation(
    design: Outline,
    name: str,
    clause: str | None = None,
    *,
    to_the_end: bool = True,
    timeout: int = TIMEOUT,
    samples: Sequence[Sample] = (),
    asks_why: bool = False,
    known: dict[str, Sequence[Formula]] | None = None,
    machine: Outline | None = None,
    tries_harder: bool = True,
) -> Proof:
    """The obligations of one operation, or those of one clause; every law may be assumed beforehand. What is proved is held against
    the samples, steps on ints. ``asks_why``: each proof says which laws it used. ``machine``: its steps are looked for in this
    design too, which has some of the same tables.

    Paths of helpers are put together first. What is not proved so is judged path by path. So are steps beside a design that is no
    bare machine, since what that one chooses makes too much of paths put together."""
    own: dict[str, Sequence[Formula]] = {}
    laws = own if known is None else known
    found: list[Proof] = []
    left: Collection[Law | None] | None = None
    is_bare = machine is not None and bare_machine(design.cls) is machine.cls
    with joined(design), nullcontext() if machine is None else joined(machine), about(name), rarely_collected():
        for merges, forgiving in attempts(*(() if asks_why else (MOST, SOME))):  # what a proof leans on is asked path by path
            compared = machine is None or any(proof.simulated for proof in found)
            wanted = None if compared or (merges and not is_bare) else machine
            induction = Induction(
                design,
                design.operation(name),
                clause,
                timeout,
                samples=samples,
                asks_why=asks_why,
                known=laws,
                merges=merges,
                only=left,
                tries_harder=tries_harder,
            )
            with forgiving:
                proof, left = _proof(induction, wanted, to_the_end)
                found.append(proof)
                if not left and (compared or proof.simulated or not merges):
                    break
    forget_instances(own)  # they and the laws refer to each other
    return together(found)


def _proof(induction: Induction, machine: Outline | None, to_the_end: bool) -> tuple[Proof, Collection[Law | None]]:
    """The obligations of an operation, its steps as those of the other design, and what is left where paths are put together."""
    induction.followed = None if machine is None else []
    try:
        proof, left = induction.prove(to_the_end), induction.left
        if machine is not None and induction.followed is not None and not any(j.verdict == "refuted" for j in proof.judgements):
            steps = simulated(induction, machine, induction.followed)
            if not (induction.merges and steps.failing):
                proof = attrs.evolve(proof, simulated=steps)
        return proof, left
    finally:
        vars(induction).clear()  # all of it refers to each other: so it goes at once, and Python need not look for it


def prove_simulated(design: Outline, machine: Outline, name: str, known: dict[str, Sequence[Formula]] | None = None) -> Simulated:
    """That each step of an operation is one of the other design's, or none; every law may be assumed beforehand. ``known`` keeps
    the laws as formulas, for other operations of the design."""
    with joined(design), joined(machine), about(name), rarely_collected():
        induction = Induction(design, design.operation(name), known=known)
        return simulated(induction, machine, induction.paths())


def does_nothing(design: Outline, name: str) -> bool:
    """Whether no path of an operation changes or shows anything, so that whoever leaves it out does the same."""
    with joined(design):
        paths = Induction(design, design.operation(name)).paths()
        return all(not each.written and each.outcome is None for path in paths for each in path.segments)


def audit_operation(design: Outline, name: str, samples: Sequence[Sample]) -> Audited:
    """What the text of an operation is on terms, held against steps on ints; nothing is proved."""
    with joined(design):
        induction = Induction(design, design.operation(name), samples=samples)
        for path in induction.paths():
            reading = Symbolic(design, prune=False)
            induction.audit.path(induction, path, list(induction.goals(path, reading)), reading.counts)
        induction.audit.assumed(induction._shared.asserted, induction._shared.counts.values())
        return induction.audit.finished(every_path=True)
