"""Laws that a proof by induction lacks, found by templates and checked by the prover before they are shown.

A counterexample to induction asks for a law that excludes its state. Candidates that do, and that hold wherever exploration gets,
are assumed together; those that some operation does not keep are dropped until the rest is stable (Flanagan and Leino, FME 2001).
What was dropped for want of a further law is tried again with candidates that exclude its own counterexample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from refmodel.engines import induction
from refmodel.engines.candidates import Candidate, Candidates
from refmodel.engines.exhaustive import explore
from refmodel.engines.looked_at import looked_at
from refmodel.engines.machine import Machine, Run, recorded
from refmodel.engines.prover import Judgement
from refmodel.engines.random import Search
from refmodel.engines.samples import in_state
from refmodel.engines.scope import Witness
from refmodel.engines.written import Writer
from refmodel.language.design import Outline
from refmodel.language.laws import Law

RUNS = 300
"""Random runs whose states candidates are held against first."""
FIRST, EACH = 3, 8
"""Candidates that are tried for one counterexample at a time, in the first round and later: what is not kept takes longest."""
ROUNDS = 6
"""How often counterexamples are looked for among the candidates."""
MANY = 48
"""Candidates that are proved together at most."""
EXPLORATIONS = 40
"""How often the geometry is explored."""
SMALL = 24
"""Obligations up to which one process is faster than several."""
CLASSES = 60_000
"""Classes of states after which an exploration ends."""

OBLIGATIONS = 10_000
"""Obligations that are put to the solver, after which the search ends with what it has found."""

Notice = Callable[[str], None]


@attrs.frozen
class Suggestion:
    """Laws that make others inductive, or the news that none were found."""

    laws: tuple[Law, ...]
    text: str
    """The laws, to be pasted."""
    remaining: tuple[str, ...]
    """Obligations that are not proved with them."""
    tried: str
    """How many candidates there were."""
    is_smallest: bool = True
    """Whether it was tried for each law to do without."""

    @property
    def checked(self) -> str:
        """What the prover says of the suggestion."""
        if not self.laws:
            return "nothing found: no candidate law makes a failed proof succeed"
        fewer = (
            ""
            if self.is_smallest
            else (f"; fewer may be enough: after {OBLIGATIONS:,} obligations it was not tried further to do without some of them")
        )
        if not self.remaining:
            return f"checked: with these, every obligation is proved{fewer}"
        return f"checked: with these, these obligations remain: {'; '.join(self.remaining)}{fewer}"


def suggest(design: Outline, refuted: Sequence[Judgement], notice: Notice = lambda text: None) -> Suggestion:
    """Look for laws with which the refuted obligations are proved."""
    return _Suggesting(design, refuted, notice).found()


class _Suggesting:
    """The search: what was tried, and what is known of it."""

    def __init__(self, design: Outline, refuted: Sequence[Judgement], notice: Notice) -> None:
        self.design, self.notice = design, notice
        self.writer = Writer(design)
        self._is_small = len(design.operations) * len(design.laws) <= SMALL
        names = {table for j in refuted for table in self._spoken_of(j)}
        tables = [kind for kind in design.tables if kind.name in names]
        self.candidates = Candidates(design, tables, self.writer)
        self._laws: dict[str, tuple[Law, str]] = {}
        self._holding: set[str] = set()
        self._rejected: set[str] = set()
        self._given: set[str] = set()
        self._known: dict[frozenset[str], induction.Proved] = {}
        self._explored, self._each = 0, FIRST
        self._asked = 0
        """How many obligations were put to the solver."""
        self._is_smallest = True
        notice("states that random runs reach")
        for state in _reached(design):
            self.candidates.see(state)

    def _spoken_of(self, refuted: Judgement) -> set[str]:
        """The tables that the step or the law reads."""
        law = set(self.design.reads(refuted.law)) if refuted.law is not None else set()
        return law | ({table for table, _ in looked_at(self.design, refuted.witness)} if refuted.witness else set())

    # ------------------------------------------------------------ the search

    def found(self) -> Suggestion:
        """The smallest set that was found."""
        before = self._open(self._proved([]))
        active: list[Candidate] = []
        best: tuple[frozenset[str], list[Candidate]] = (before, [])
        for number in range(ROUNDS):
            self.notice(f"round {number + 1}, {len(active)} candidates")
            whole = self._proved(active)
            kept, still = self._stable(active, whole)
            if len(still) < len(best[0]):
                best = still, kept
            if not still or self._has_asked_enough:
                break
            self._each = EACH if number else FIRST
            more = self._more(whole, active)
            if more is None:
                break
            active = [c for c in active if c.body not in self._rejected]
            active += more[: max(0, MANY - len(active))]
        left, kept = best
        return self._told(self._smallest(kept, left), left)

    def _more(self, whole: induction.Proved, active: list[Candidate]) -> list[Candidate] | None:
        """Candidates that exclude the counterexamples; None if one of the design's own laws has one that none excludes, or if there
        is nothing more to be tried."""
        of_laws = {self._law(c): c for c in active}
        before = len(self._rejected)
        more: dict[str, Candidate] = {}
        for j in whole.judgements():
            if j.witness is None:
                continue
            found = self._excluding(j.witness, {c.body for c in active} | set(more))
            more.update({c.body: c for c in found})
            candidate = of_laws.get(j.law) if j.law is not None else None
            if not found and not self._is_excluded(j.witness, more):
                if candidate is None:
                    return None
                self._rejected.add(candidate.body)
        for j in whole.judgements():
            if j.verdict == "unknown" and j.law in of_laws:
                self._rejected.add(of_laws[j.law].body)
        return list(more.values()) if more or len(self._rejected) > before else None

    def _is_excluded(self, witness: Witness, more: dict[str, Candidate]) -> bool:
        """Whether one of these, found for another counterexample, excludes this one too."""
        state = in_state(self.design, witness.geometry, witness.tables).state
        return any(c.body in more for c in self.candidates.excluding(state, witness.geometry, self._rejected))

    def _excluding(self, witness: Witness, known: set[str]) -> list[Candidate]:
        """The simplest candidates that exclude a state, and that hold wherever exploration gets."""
        state = in_state(self.design, witness.geometry, witness.tables).state
        while True:
            excluding = self.candidates.excluding(state, witness.geometry, self._rejected)
            found = [c for c in excluding if c.body not in known][: self._each]
            unlike = self._reaching_outside(found)
            if unlike is None:
                return found
            self.candidates.see(unlike)

    def _reaching_outside(self, candidates: Sequence[Candidate]) -> Any:
        """A reached state in which one of these does not hold; None if there is none, or if it was looked for often enough."""
        new = [c for c in candidates if c.body not in self._holding]
        if not new or not self.design.cls.explored or self._explored >= EXPLORATIONS:
            return None
        self._explored += 1
        self.notice(f"exploration {self._explored}, {len(new)} candidates")
        laws = tuple(self._law(c) for c in new)
        run, complete = _broken_by(attrs.evolve(self.design.with_laws(laws), laws=laws))
        if run is not None:
            return _end_of(self.design, run)
        if complete:
            self._holding.update(c.body for c in new)
        return None

    # ------------------------------------------------------------ the prover

    def _law(self, candidate: Candidate) -> Law:
        if candidate.body not in self._laws:
            self._laws[candidate.body] = self.writer.law(candidate.label, candidate.names, candidate.body, candidate.sentence)
        return self._laws[candidate.body][0]

    def _proved(self, candidates: Sequence[Candidate], audits: bool = False, to_the_end: bool = True) -> induction.Proved:
        """Unless it is wanted to the end, the proof stops at the first obligation that is refuted."""
        bodies = frozenset(c.body for c in candidates)
        if bodies in self._known and not audits:
            return self._known[bodies]
        self._given |= bodies
        design = self.design.with_laws([self._law(c) for c in candidates])
        done = induction.prove(design, all_failures=to_the_end, audits=audits, processes=1 if self._is_small else None)
        self._asked += len(done.judgements())
        if not done.skipped:
            self._known[bodies] = done
        return done

    @property
    def _has_asked_enough(self) -> bool:
        return self._asked >= OBLIGATIONS

    def _open(self, done: induction.Proved) -> frozenset[str]:
        """The design's own obligations that are not proved."""
        own = {None, *self.design.laws}
        return frozenset(
            f"{j.operation} / {j.law.name if j.law else 'soundness'}"
            for j in done.judgements()
            if j.verdict != "proved" and j.law in own
        )

    def _stable(self, candidates: list[Candidate], done: induction.Proved) -> tuple[list[Candidate], frozenset[str]]:
        """The candidates that every operation keeps together, and what is not proved with them."""
        while True:
            failing = {j.law for j in done.judgements() if j.verdict != "proved"}
            kept = [c for c in candidates if self._law(c) not in failing]
            if len(kept) == len(candidates):
                return kept, self._open(done)
            candidates = kept
            done = self._proved(kept)

    def _smallest(self, kept: list[Candidate], left: frozenset[str]) -> list[Candidate]:
        """Without what is not needed: half of them are left out at a time, then fewer, at last one; the longest first."""
        self.notice(f"what is not needed among {len(kept)}")
        size = len(kept)
        while size > 1:
            size //= 2
            ordered = sorted(kept, key=lambda c: (c.cost, len(c.body)), reverse=True)
            for first in range(0, len(ordered), size):
                if self._has_asked_enough:
                    self._is_smallest = False
                    return kept
                fewer = [c for c in kept if c not in ordered[first : first + size]]
                kept = fewer if self._suffices(fewer, left) else kept
        return kept

    def _suffices(self, candidates: list[Candidate], left: frozenset[str]) -> bool:
        done = self._proved(candidates, to_the_end=bool(left))
        mine = {self._law(c) for c in candidates}
        if done.skipped:
            return False
        return self._open(done) <= left and all(j.verdict == "proved" for j in done.judgements() if j.law in mine)

    def _told(self, kept: list[Candidate], left: frozenset[str]) -> Suggestion:
        """The suggestion, proved once more as any design is."""
        tried = (
            f"{self.candidates.made:,} candidates were made; {self.candidates.left:,} hold in every state that was met; "
            f"{len(self._given):,} were given to the prover{self._how_far()}"
        )
        if not kept:
            return Suggestion((), "", tuple(sorted(left)), f"{tried}; {self._why_none()}")
        open_ = self._open(self._proved(kept, audits=True))
        texts = [self._laws[c.body][1] for c in kept]
        return Suggestion(
            tuple(self._law(c) for c in kept),
            "\n\n".join([self.writer.header(texts) + "\n", *texts]),
            tuple(sorted(open_)),
            tried,
            self._is_smallest,
        )

    def _why_none(self) -> str:
        """Why no candidate helps."""
        if self._given:
            return "none of these is kept by every operation"
        return (
            "each of the others allows a state from which the proof fails. A candidate says that one condition implies another, or "
            "that no two entries are alike; the law that is missing has another form"
        )

    def _how_far(self) -> str:
        """In which states those hold that the prover was given."""
        if not self._given:
            return ""
        if self._given <= self._holding:
            return ", and hold in every state of this geometry"
        return ", and were not all explored to the last state"


# ---------------------------------------------------------------- states that are reached


def _reached(design: Outline) -> list[Any]:
    """States of random runs, one of each shape."""
    search = Search(attrs.evolve(design, laws=()), design.cls.geometry, "suggest")
    for _ in range(RUNS):
        search.run()
    return [mark.state for mark in search.landmarks]


class _Enough(Exception):
    """Raised when as many classes of states were explored as may be."""


def _broken_by(design: Outline) -> tuple[Run | None, bool]:
    """A run that breaks a law, if exploration finds one; and whether it went to the last state."""

    def progress(depth: int, classes: int, steps: int) -> None:
        if classes > CLASSES:
            raise _Enough

    try:
        done = explore(design, design.cls.geometry, progress=progress)
    except _Enough:
        return None, False
    return (None if done.failure is None or done.failure.broken.law is None else done.failure.run), done.complete


def _end_of(design: Outline, run: Run) -> Any:
    """The state that a run leads to."""
    machine = Machine(design, design.cls.geometry)
    machine.power_on(recorded(run.initial))
    for step in run.steps:
        machine.step(step)
        machine.settle()
    return machine.state
