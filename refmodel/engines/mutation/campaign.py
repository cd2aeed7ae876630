"""A campaign of mutation: every mutant of a text judged, and what is left over."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType

import attrs

from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.mutation import judging, sameness
from refmodel.engines.mutation.beside import partners, refining
from refmodel.engines.mutation.forked import forked
from refmodel.engines.mutation.judging import REFUSED, SURVIVED, UNDECIDED, Due, Verdict
from refmodel.engines.mutation.mutants import Mutant, mutants_of, relative
from refmodel.engines.mutation.reach import ended_by, reached, read_by_laws
from refmodel.engines.mutation.reasons import Reason, known, reasons_for, stale
from refmodel.engines.progress import prove_progress
from refmodel.language.design import Outline
from refmodel.language.sources import code_of
from refmodel.language.unsound import BadDesign

Notice = Callable[[int, int], None]
"""Told how many mutants are judged, and how many there are."""


@attrs.frozen
class Judged:
    """A mutant, what became of it, and, if nothing notices it, the reason that is known."""

    mutant: Mutant
    verdict: str
    why: str
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether it is a survivor without a reason."""
        return self.verdict in (SURVIVED, UNDECIDED) and not self.reason


@attrs.frozen
class Choice:
    """Which of the mutants are judged."""

    only: str | None = None
    """Those of functions whose file and qualified name, such as ``refmodel/monitor/ksm.py Ksm.merge``, contain this."""
    limit: int | None = None
    """So many, drawn at random."""
    seed: int = 0


@attrs.frozen
class Campaign:
    """What became of mutants."""

    name: str
    only: str
    """What the functions asked for have in their file and name; empty where all are."""
    mutants: int
    """All that there are of the text, or of the functions asked for."""
    judged: tuple[Judged, ...]
    stale: tuple[str, ...]
    """What is wrong with the reasons."""
    seconds: float
    unproved: tuple[str, ...] = ()
    """What is not proved of the text itself, so that the proof says nothing of it to any mutant."""

    def count(self, *verdicts: str) -> int:
        return sum(j.verdict in verdicts and not j.reason for j in self.judged)

    @property
    def killed(self) -> int:
        return self.count(*judging.KILLED)

    @property
    def with_reason(self) -> int:
        return sum(j.verdict in (SURVIVED, UNDECIDED) and bool(j.reason) for j in self.judged)

    @property
    def open(self) -> tuple[Judged, ...]:
        """The survivors without a reason."""
        return tuple(j for j in self.judged if j.open)

    @property
    def score(self) -> float:
        """The share of mutants that are noticed, of those that can be."""
        due = self.killed + len(self.open)
        return self.killed / due if due else 1.0


Judge = Callable[[Mutant], Verdict]


def of_design(
    name: str,
    design: Outline,
    choice: Choice | None = None,
    jobs: int = 1,
    notice: Notice = lambda done, of: None,
    reasons: Sequence[Reason] | None = None,
) -> Campaign:
    """Judge the mutants of a design; ``BadDesign`` if the design itself breaks a law in the runs that judge its mutants."""
    itself = judging.runs(design, judging.STEPS)
    if itself.broken is not None:
        raise BadDesign(f"{name}: the design itself breaks a law, {itself.broken}; its mutants say nothing")
    early = judging.STEPS // judging.SOON
    soon = judging.runs(design, early).met & judging.runs(design, early, seed=1).met  # not by luck
    unproved = frozenset[str]() if name in {*SHIPPED, *COMBINED} else judging.unproved(design)
    due = expected(design, soon, unproved)
    done = run(name, due, partial(_judge, design, due), partial(_likeness, design, due), choice or Choice(), jobs, notice, reasons)
    return attrs.evolve(done, unproved=tuple(sorted(unproved)))


def expected(design: Outline, soon: frozenset[str], unproved: frozenset[str] = frozenset()) -> dict[FunctionType, Due]:
    """What is expected of the mutants of each function, if the text itself soon meets this, and this is not proved of it."""
    seldom, of_laws, found = judging.completing(design, soon), read_by_laws(design), {}
    ending = {each.pending.name for each in prove_progress(design) if each.proved}
    for function, ops in reached(design).items():
        others = tuple(op.name for op in design.operations if op not in ops) if function in of_laws else ()
        found[function] = Due(
            operations=tuple(op.name for op in ops),
            others=others,
            met=soon,
            beside=partners(design, function),
            refining=refining(function),
            completing=seldom,
            ended=ended_by(design, function, ops) & ending,
            unproved=unproved,
        )
    return found


def _judge(design: Outline, due: Mapping[FunctionType, Due], mutant: Mutant) -> Verdict:
    return judging.judge(design.cls, mutant, due[mutant.function])


def _likeness(design: Outline, due: Mapping[FunctionType, Due], mutant: Mutant) -> str:
    return sameness.likeness(design.cls, mutant, due[mutant.function].operations)


def run(
    name: str,
    functions: Iterator[FunctionType] | Mapping[FunctionType, object],
    judge: Judge,
    likeness: Callable[[Mutant], str] | None,
    choice: Choice,
    jobs: int,
    notice: Notice,
    reasons: Sequence[Reason] | None = None,
) -> Campaign:
    """Judge the mutants of functions. Those that survive are compared with the text, if there is a way to."""
    began = time.perf_counter()
    every = list(functions)
    places = {f: f"{relative(code_of(f).co_filename)} {f.__qualname__}" for f in every}
    wanted = [f for f in every if (choice.only or "") in places[f]]
    if not wanted:
        raise BadDesign(f"{name}: no function whose file and name contain {choice.only!r}")
    possible = [m for f in wanted for m in mutants_of(f)]
    chosen = (
        possible
        if choice.limit is None or choice.limit >= len(possible)
        else sorted(random.Random(choice.seed).sample(possible, choice.limit), key=possible.index)
    )
    given = reasons_for(name, known() if reasons is None else reasons)
    verdicts = [Verdict(UNDECIDED, "no answer")] * len(chosen)
    for done, (number, verdict) in enumerate(forked(judge, chosen, jobs), 1):
        verdicts[number] = verdict or Verdict(UNDECIDED, "it ended its process, or took too long")
        notice(done, len(chosen))
    left = [n for n, v in enumerate(verdicts) if v.verdict in (SURVIVED, UNDECIDED)] if likeness is not None else []
    for i, alike in forked(likeness, [chosen[n] for n in left], jobs) if likeness is not None else ():
        if alike:
            verdicts[left[i]] = Verdict(alike)
    judged = tuple(
        Judged(m, v.verdict, v.why, given.get(m.key, "") if v.verdict in (SURVIVED, UNDECIDED) else "")
        for m, v in zip(chosen, verdicts, strict=True)
    )
    noticed = {j.mutant.key for j in judged if j.verdict not in (SURVIVED, UNDECIDED)}
    wrong = tuple(stale(given, {places[f] for f in wanted}, {m.key for m in possible}, noticed))
    return Campaign(name, choice.only or "", len(possible), judged, wrong, time.perf_counter() - began)


def counted(campaign: Campaign) -> Counter[str]:
    """How often each verdict was given."""
    return Counter(j.verdict for j in campaign.judged)


__all__ = ["REFUSED", "SURVIVED", "UNDECIDED", "Campaign", "Choice", "Judged", "counted", "of_design", "run"]
