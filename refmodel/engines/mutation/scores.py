"""Scores of mutation, as they are kept in a file from one run to the next."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from refmodel.engines.mutation import judging
from refmodel.engines.mutation.campaign import Campaign
from refmodel.engines.mutation.reasons import known, reasons_for
from refmodel.engines.mutation.sameness import ALLOWED, SAME
from refmodel.language.unsound import BadDesign


@attrs.frozen
class Score:
    """What became of the mutants of one text, in numbers."""

    name: str
    only: str
    """What the functions judged have in their file and name, such as ``monitor/ksm.py``; empty where the text is judged whole."""
    mutants: int
    judged: int
    refused: int
    by_runs: int
    vacuous: int
    side_by_side: int
    by_proof: int
    not_shown: int
    by_exploration: int
    by_tests: int
    same: int
    allowed: int
    unnoticed: tuple[str, ...]
    """The keys of those that nothing notices, whether or not there is a reason."""
    seconds: float

    @property
    def key(self) -> str:
        """What the score is called in a file of scores: the design, and the part of its text that was judged."""
        return f"{self.name}: {self.only}" if self.only else self.name

    @property
    def survivors(self) -> tuple[str, ...]:
        """The keys of those that nothing notices and that have no reason today."""
        given = reasons_for(self.name, known())
        return tuple(key for key in self.unnoticed if key not in given)

    @property
    def with_reason(self) -> int:
        """How many of those that nothing notices have a reason today."""
        return len(self.unnoticed) - len(self.survivors)

    @property
    def killed(self) -> int:
        by_law = self.by_runs + self.by_proof + self.not_shown + self.by_exploration
        return by_law + self.vacuous + self.side_by_side + self.by_tests

    @property
    def plain_percent(self) -> float:
        """How many in a hundred are noticed where no reason is taken for an excuse."""
        due = self.killed + len(self.unnoticed)
        return 100 * self.killed / due if due else 100.0

    @property
    def percent(self) -> float:
        """How many in a hundred are noticed, of the mutants that can be."""
        due = self.killed + len(self.survivors)
        return 100 * self.killed / due if due else 100.0


def scored(done: Campaign) -> Score:
    """The numbers of a campaign."""
    return Score(
        name=done.name,
        only=done.only,
        mutants=done.mutants,
        judged=len(done.judged),
        refused=done.count(judging.REFUSED),
        by_runs=done.count(judging.BY_RUNS),
        vacuous=done.count(judging.BY_VACUITY),
        side_by_side=done.count(judging.BESIDE),
        by_proof=done.count(judging.BY_PROOF),
        not_shown=done.count(judging.NOT_SHOWN),
        by_exploration=done.count(judging.BY_EXPLORATION),
        by_tests=done.count(judging.BY_TESTS),
        same=done.count(SAME),
        allowed=done.count(ALLOWED),
        unnoticed=tuple(j.mutant.key for j in done.judged if j.open or j.reason),
        seconds=round(done.seconds, 1),
    )


def kept(file: Path) -> dict[str, Score]:
    """The scores in a file, by what they are called there; none if there is no file."""
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text())
        return {name: Score(**{**numbers, "unnoticed": tuple(numbers["unnoticed"])}) for name, numbers in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as why:
        raise BadDesign(f"{file}: no file of scores ({type(why).__name__}: {why})") from None


def with_score(file: Path, score: Score) -> str:
    """What a file of scores is to hold: those that it has, and this one, in the place of an earlier one of that name."""
    scores = {**kept(file), score.key: score}
    return json.dumps({name: attrs.asdict(scores[name]) for name in sorted(scores)}, indent=1) + "\n"
