"""Who notices a mutant of a design: random runs, then the proof of the operations that can reach it, then exploration."""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs

from refmodel.engines.exhaustive import Explorer, fits_columns
from refmodel.engines.mutation.mutants import Mutant
from refmodel.engines.prover import Induction, prove_initial
from refmodel.engines.questions import about
from refmodel.engines.random import Drawn
from refmodel.language.changing import change
from refmodel.language.design import Design, Outline, outline
from refmodel.language.joining import joined
from refmodel.language.unsound import BadDesign, Unsound

REFUSED = "refused"
"""The mutant is not in the language, so it is none."""
BY_RUNS, BY_PROOF, NOT_SHOWN, BY_EXPLORATION, BY_TESTS = "random runs", "proof", "proof, not shown", "exploration", "tests"
KILLED = (BY_RUNS, BY_PROOF, NOT_SHOWN, BY_EXPLORATION, BY_TESTS)
"""Noticed: by a run; by a lawful state and a step from it; by an obligation that does not follow; by a run; by a test."""
SURVIVED = "survived"
UNDECIDED = "undecided"
"""The solver gave up, and nothing else notices the mutant: it counts as a survivor."""

STEPS = 6_000
"""Steps of random runs, which take about a second."""
LENGTH = 60
CLASSES = 30_000
"""Classes of states that are explored."""
TIMEOUT = 20_000
"""Milliseconds that the solver may take for one question."""


@attrs.frozen
class Verdict:
    """What became of a mutant, and by what law or test."""

    verdict: str
    why: str = ""

    @property
    def killed(self) -> bool:
        return self.verdict in KILLED


def judge(cls: type[Design], mutant: Mutant, operations: Sequence[str], steps: int = STEPS) -> Verdict:
    """Put a mutant in the place of its function and judge it, cheapest first. The process is of no other use afterwards."""
    try:
        change(mutant.function, mutant.text())
        mutant.function.__globals__.setdefault("NOTHING", -1)
        design = outline(cls)
    except BadDesign as why:
        return Verdict(REFUSED, str(why).splitlines()[0])
    found = broken_by_runs(design, steps)
    if found is not None:
        return Verdict(BY_RUNS, found)
    try:
        proved = _proof(design, operations)
    except (Unsound, BadDesign) as why:
        return Verdict(REFUSED, str(why).splitlines()[0])
    if proved.verdict != UNDECIDED:
        return proved
    explored = _explored(design)
    return Verdict(BY_EXPLORATION, explored) if explored else proved


def broken_by_runs(design: Outline, steps: int, seed: int = 0) -> str | None:
    """The law that so many steps of random runs break, or None."""
    drawn, source = Drawn(design, design.cls.geometry), random.Random(seed)
    runs = 0
    while drawn.steps < steps and runs < steps:
        runs += 1
        failure = drawn.run(source.randbytes(1 + LENGTH * drawn.width))
        if failure is not None:
            return failure.broken.law.name if failure.broken.law else failure.broken.error
    return None


def _proof(design: Outline, operations: Sequence[str]) -> Verdict:
    """The proof of these operations, to the first obligation that does not follow."""
    for j in prove_initial(design).judgements:
        if j.verdict != "proved":
            return Verdict(NOT_SHOWN, f"initial state: {j.law and j.law.name}: {j.why}")
    gave_up = ""
    for name in operations:
        taken = False
        with joined(design), about(name):
            for j in Induction(design, design.operation(name), timeout=TIMEOUT).doubts():
                taken = taken or j.verdict == "proved"
                if j.verdict == "refuted":
                    return Verdict(BY_PROOF, f"{name}: {j.law and j.law.name}")
                if j.verdict == "unknown" and "the solver gave up" not in j.why.split(";")[0]:
                    return Verdict(NOT_SHOWN, f"{name}: {j.law.name if j.law else 'soundness'}: {j.why}")
                gave_up = gave_up or (f"{name}: {j.why}" if j.verdict == "unknown" else "")
        if not taken and not gave_up:
            return Verdict(BY_PROOF, f"{name} applies in no lawful state")
    return Verdict(UNDECIDED, gave_up) if gave_up else Verdict(SURVIVED)


class _Enough(Exception):
    """As many classes of states are explored as may be."""


def _explored(design: Outline) -> str | None:
    """The law that exploration finds broken, within its bound."""
    def progress(depth: int, classes: int) -> None:
        if classes > CLASSES:
            raise _Enough

    if not fits_columns(design):
        return None
    try:
        failure = Explorer(design, design.cls.geometry, processes=1).run(progress=progress).failure
    except (_Enough, Unsound):
        return None
    return None if failure is None else failure.broken.law.name if failure.broken.law else failure.broken.error
