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

import attrs
import z3

from refmodel.engines.audit import Audited, OnTerms
from refmodel.engines.discharging import Assumed, Discharge
from refmodel.engines.formulas import Formula, formula
from refmodel.engines.goals import Goal, Goals, arbitrary_names
from refmodel.engines.hypotheses import Hypotheses
from refmodel.engines.initially import prove_initial
from refmodel.engines.instances import Instances
from refmodel.engines.judgements import INITIAL, SOUNDNESS, Judgement, Proof, worse
from refmodel.engines.leaning import CutOffs, laws_used
from refmodel.engines.paths import PATHS, Path, Runs, Segment, base_of, real
from refmodel.engines.questions import TIMEOUT, about
from refmodel.engines.samples import Sample
from refmodel.engines.scope import Scope
from refmodel.engines.symbolic import CUT_OFF, Obligation, Symbolic
from refmodel.engines.terms import Term
from refmodel.engines.unknowns import reasons
from refmodel.language.asking import Refused, answering
from refmodel.language.design import Operation, Outline
from refmodel.language.joining import joined
from refmodel.language.laws import Law
from refmodel.language.unsound import Unsound

__all__ = ["INITIAL", "SOUNDNESS", "TIMEOUT", "Audited", "Induction", "Judgement", "Path", "Proof", "Segment", "audit_operation",
           "prove_initial", "prove_operation"]


@attrs.frozen
class _Asked:
    """A path that was asked about: what has to hold, and whether it was proved at once."""

    path: Path
    ask: Discharge
    goals: list[Goal]
    met: bool
    """Whether all obligations of the text are proved."""
    kept: bool
    """Whether all laws are."""


class Induction:
    """The obligations of one operation."""

    def __init__(self, design: Outline, op: Operation, clause: str | None = None, timeout: int = TIMEOUT, base: str = "s",
                 samples: Sequence[Sample] = (), asks_why: bool = False) -> None:
        self.asks_why = asks_why
        """Whether each proof is to say which laws it used: that takes a question more for each."""
        self.design, self.op, self.timeout, self.base = design, op, timeout, base
        self.audit = OnTerms(design, design.cls.geometry, samples)
        self.laws = [law for law in design.laws if clause in (None, law.clause)]
        self._instances: dict[str, Instances] = {}
        self._runs = Runs(design, op)
        self._goals = Goals(design, op, self.formulas)
        self._met: dict[tuple[int, ...], Obligation] = {}
        """Obligations of the text that are proved: paths that begin alike have them in common."""
        self._scope: Scope | None = None
        self._taken = self._kept = False
        self._open: list[Callable[[], Iterator[Judgement]] | None] = []
        """For each path, how to ask again where nobody knows (None where everything is known)."""
        self.explains = False
        """Whether a counterexample is looked for where the text may go wrong, too."""
        self._near, self._far = 0, 0
        """For how many paths it did to look near, and for how many it did not."""
        self._shared = self.hypotheses(base)
        self._cut_offs = CutOffs() if asks_why else None

    def formulas(self, base: str) -> Sequence[Formula]:
        """The laws of states, as formulas about this arbitrary state."""
        return self._of(base).formulas

    def hypotheses(self, base: str) -> Hypotheses:
        """The laws of this arbitrary state, to be assumed wherever something is looked at."""
        return Hypotheses(self._of(base))

    def _of(self, base: str) -> Instances:
        if base not in self._instances:
            formulas = [formula(self.design, law, base) for law in self.design.laws if law.of_state]
            self._instances[base] = Instances(self.design, formulas, base)
        return self._instances[base]

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
            verdicts[key] = worse(verdicts.get(key), judgement)
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
                reading.conditions += [term for (_, kind), argument in zip(self.op.parameters, arguments, strict=True)
                                       for term in real(kind, argument)]
                segments = []
                try:
                    for segment in self._runs.segments(reading, base, arguments):
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

    # ------------------------------------------------------------ judging a path

    def _path(self, path: Path) -> Iterator[Judgement]:
        began = time.perf_counter()
        found = self._asked(path)
        if found is None:
            return
        share = (time.perf_counter() - began) / max(1, len(found.goals))
        asked: list[tuple[Judgement, tuple[Term, ...]]] = []
        for obligation in found.path.obligations:
            shown = Judgement(self.op.name, None, "proved", 0.0) if found.met else found.ask.obligation(obligation)
            asked.append((shown, (*obligation.conditions, z3.Not(obligation.holds))))
        for law, segment, goal in found.goals:
            if goal is None:
                asked.append((Judgement(self.op.name, law, "proved", share), ()))
                continue
            shown = Judgement(self.op.name, law, "proved", 0.0) if found.kept else found.ask.about(law, segment, z3.Not(goal))
            asked.append((attrs.evolve(shown, seconds=shown.seconds + share), (*segment.conditions, z3.Not(goal))))
        if any(j.verdict == "unknown" for j, _ in asked):
            self._open.append(partial(self._once_more, found, asked))
        for shown, claim in asked:
            yield self._with_why(found.ask, shown, claim)

    def _once_more(self, found: _Asked, asked: Sequence[tuple[Judgement, tuple[Term, ...]]]) -> Iterator[Judgement]:
        """Where nobody knows, ask again with all that may help."""
        ask = found.ask
        for hypotheses in ask.known.values():
            hypotheses.go_farthest()
        ask.assumed = Assumed(ask.known, self.timeout)
        for shown, claim in asked:
            proved = shown.verdict == "unknown" and ask.refutes(claim)
            yield self._with_why(ask, attrs.evolve(shown, verdict="proved", why="") if proved else shown, claim)

    def _with_why(self, ask: Discharge, shown: Judgement, claim: Sequence[Term]) -> Judgement:
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
        far = not self._taken or self._far > self._near  # that there is a path at all is to be known for certain
        ask = self._ready(path, far)
        owed = [o for o in path.obligations if o.identity not in self._met]
        met = ask.none_fails(owed)
        with ask.taken():
            if path.segments and ask.assumed.answer(CUT_OFF) == "proved":
                self._note_cut_off(path, ask)
                if not path.obligations:
                    return None  # the path cannot be taken; a later segment that cannot be says nothing of the first
                path.segments = []  # but what must hold on the way must hold, for those that get that far
            self._kept = bool(path.segments)
            self._taken = self._taken or self._kept
            goals = self._owed_after(path, ask)
            kept = ask.all_hold(goals)
        if not far:
            self._near, self._far = self._near + (met and kept), self._far + (not (met and kept))
        if not (met and kept):
            met, kept = self._farther(ask, owed, goals, far, met, kept)
        self._met |= {o.identity: o for o in owed if met}
        return _Asked(path, ask, goals, met, kept)

    def _ready(self, path: Path, far: bool) -> Discharge:
        """What is assumed along a path."""
        bases = dict.fromkeys([self.base, *(base_of(self.design, s.before) for s in path.segments)])
        known = {base: self.hypotheses(base) for base in bases}
        for hypotheses in known.values():
            hypotheses.admit(list(path.lookups.values()), list(path.counts.values()))
            hypotheses.saturate()
            if far:
                hypotheses.go_far()
        return Discharge(self, path, Assumed(known, self.timeout))

    def _note_cut_off(self, path: Path, ask: Discharge) -> None:
        if self._cut_offs is not None:
            self._cut_offs.used |= laws_used(ask.known.values(), path.segments[0].conditions, self.timeout)

    def _owed_after(self, path: Path, ask: Discharge) -> list[Goal]:
        """What must hold after a path. The laws are assumed where it looks, too."""
        reading = Symbolic(self.design, prune=False)
        goals = list(self.goals(path, reading))
        for hypotheses in ask.known.values():
            hypotheses.admit(list(reading.lookups.values()), list(reading.counts.values()))
            hypotheses.saturate()
        self.audit.path(self, path, goals, reading.counts)
        ask.note(reading.noted)
        ask.assumed.learn()
        return goals

    def _farther(self, ask: Discharge, owed: Sequence[Obligation], goals: Sequence[Goal], far: bool, met: bool, kept: bool
                 ) -> tuple[bool, bool]:
        """What is answered with laws instantiated farther from the run, if they were not yet."""
        if not far:
            for hypotheses in ask.known.values():
                hypotheses.go_far()
        ask.assumed.learn()
        if not far:
            met = met or ask.none_fails(owed)
            with ask.taken():
                kept = kept or ask.all_hold(goals)
        return met, kept

    def doubts(self) -> Iterator[Judgement]:
        """What is not proved, as it is found, path by path. At the end of a path that nothing is wrong with stands one judgement
        of no law: whoever only wants to know whether there is a doubt stops at the first that is not proved."""
        for path in self.paths():
            found = self._asked(path)
            if found is None:
                continue
            if not found.met:
                yield from (j for o in path.obligations if (j := found.ask.obligation(o)).verdict != "proved")
            if not found.kept:
                yield from (j for law, segment, goal in found.goals if goal is not None
                            if (j := found.ask.about(law, segment, z3.Not(goal))).verdict != "proved")
            if path.segments:
                yield Judgement(self.op.name, None, "proved", 0.0)

    def goals(self, path: Path, reading: Symbolic) -> Iterator[Goal]:
        """What must hold after a path."""
        return self._goals.after(path, self.laws, self.arguments, reading)

    def names_of(self, law: Law) -> list[Term]:
        """What the names that a law is claimed for are called in goals."""
        return [n.term for n in arbitrary_names(law, Symbolic(self.design, prune=False))]

    def scope(self) -> Scope:
        """The lawful states of the design's own geometry."""
        if self._scope is None:
            self._scope = Scope(self.design, self.formulas("s"), "s")
        return self._scope


def prove_operation(design: Outline, name: str, clause: str | None = None, *, to_the_end: bool = True,
                    timeout: int = TIMEOUT, samples: Sequence[Sample] = (), asks_why: bool = False) -> Proof:
    """The obligations of one operation, or those of one clause; every law may be assumed beforehand. What is proved is held against
    the samples, steps on ints. ``asks_why``: each proof says which laws it used."""
    with joined(design), about(name):
        return Induction(design, design.operation(name), clause, timeout, samples=samples, asks_why=asks_why).prove(to_the_end)


def audit_operation(design: Outline, name: str, samples: Sequence[Sample]) -> Audited:
    """What the text of an operation is on terms, held against steps on ints; nothing is proved."""
    with joined(design):
        induction = Induction(design, design.operation(name), samples=samples)
        for path in induction.paths():
            reading = Symbolic(design, prune=False)
            induction.audit.path(induction, path, list(induction.goals(path, reading)), reading.counts)
        induction.audit.assumed(induction._shared.asserted, induction._shared.counts.values())
        return induction.audit.finished(every_path=True)
