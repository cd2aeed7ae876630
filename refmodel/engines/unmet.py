"""Laws that a proof shows, and whose premise no state of a complete exploration meets; and operations that apply in none.

A lawful state meets the premise, or the proof had called the law vacuous; but perhaps no run gets there, however many names there
are. So it is looked for in runs with a name more of one sort, and of each. A law that these do not meet either says nothing, as far
as anybody has seen, and of an operation that does not apply there either nothing is shown.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from refmodel.engines import random
from refmodel.engines.disagreeing import disagreement
from refmodel.engines.progress_runs import end_everything
from refmodel.engines.reports_of_runs import never_taken
from refmodel.engines.runs_that_break import with_one_more
from refmodel.engines.scope import small
from refmodel.engines.spoken_numbers import with_spoken_numbers
from refmodel.engines.verdicts import MORE, EngineReport, Verdict
from refmodel.language.design import Outline
from refmodel.language.laws import Law
from refmodel.language.sizes import Geometry

MORE_NAMES = 2
"""So many names more of each sort, at most, are there in runs in which an operation may apply."""
BATCH, BATCHES = 100, 15
"""Random runs with a name more of each sort, and how often so many are taken until every law is met."""
FEW_BATCHES = 3
"""How often so many are taken with a name more of one sort alone."""


def with_unmet(design: Outline, reports: Sequence[EngineReport]) -> list[EngineReport]:
    """The reports; of what is proved and was met nowhere, the proof says that it is vacuous."""
    if reports[-1].engine == "exhaustive" and reports[-1].numbers.complete:
        reports = [*reports[:-1], _looked_further(design, reports[-1])]
    explored = next((r for r in reports if r.engine == "exhaustive" and r.numbers.complete), None)
    runs = next((r for r in reports if r.engine == "random" and (explored is not None or not design.laws)), None)
    return [report if report.engine != "prove" else _ended(design, _judged(design, report, explored), runs) for report in reports]


def _ended(design: Outline, proof: EngineReport, runs: EngineReport | None) -> EngineReport:
    """The proof that what is pending comes to an end; it is vacuous where no run ends it, since it is pending nowhere. ``runs``:
    None where so much can happen that runs say little of what cannot."""
    unmet = {
        each.law: each
        for each in design.pending
        if runs is not None and runs.verdicts.get(each.law) == Verdict.VACUOUS and proof.verdicts.get(each.law) == Verdict.PROVED
    }
    if not unmet:
        return proof
    ended = Counter[str]()
    for geometry in (*with_one_more(design), small(design, 1)):
        done = end_everything(design.judging(unmet.__contains__), with_spoken_numbers(design, geometry))
        ended += done.ended
        if done.failure is not None:
            return attrs.evolve(proof, disagreement=disagreement(proof, "random", done.failure))
        if all(ended[each.name] for each in unmet.values()):
            break
    vacuous = [law for law, each in unmet.items() if not ended[each.name]]
    notes = (f"{law.name}: no run was found in which it is pending, and none with {MORE}" for law in vacuous)
    return attrs.evolve(proof, verdicts={**proof.verdicts, **dict.fromkeys(vacuous, Verdict.VACUOUS)}, notes=(*proof.notes, *notes))


def _looked_further(design: Outline, explored: EngineReport) -> EngineReport:
    """The exploration without those idle operations that a run takes which has some more names of each sort; or with a run of that
    kind that breaks a law."""
    lacking = explored.lacking
    for geometry, batch in _with_more_names(design):
        if not lacking:
            break
        done = random.campaign(design, geometry, seconds=float("inf"), runs=BATCH, first=batch)
        if done.failure is not None:
            law = done.failure.broken.law
            fails = {} if law is None else {law: Verdict.FAILS}
            return attrs.evolve(explored, verdicts={**explored.verdicts, **fails}, failure=done.failure, geometry=geometry)
        lacking = tuple(name for name in lacking if name in never_taken(design, done.applied))
    return attrs.evolve(explored, lacking=lacking)


def _with_more_names(design: Outline) -> Iterator[tuple[Geometry, int]]:
    """Geometries with more names, and the numbers of batches of runs in them. First one sort alone has more: some operations apply
    only where there are fewer names of a sort than of another, such as fewer tags than VMs."""
    for batch, geometry in itertools.product(range(FEW_BATCHES), with_one_more(design)):
        yield with_spoken_numbers(design, geometry), batch
    for more, batch in itertools.product(range(1, MORE_NAMES + 1), range(BATCHES)):
        yield with_spoken_numbers(design, small(design, more)), batch


def _judged(design: Outline, proof: EngineReport, explored: EngineReport | None) -> EngineReport:
    unmet = {
        law
        for law, verdict in (explored.verdicts.items() if explored is not None else ())
        if law in design.laws and verdict == Verdict.VACUOUS and proof.verdicts.get(law) == Verdict.PROVED
    }
    for geometry, batch in _with_more_names(design):
        if not unmet:
            return proof
        unmet -= random.campaign(design.judging(unmet.__contains__), geometry, seconds=float("inf"), runs=BATCH, first=batch).met
    return attrs.evolve(
        proof,
        verdicts={**proof.verdicts, **dict.fromkeys(unmet, Verdict.VACUOUS)},
        notes=(*proof.notes, *(_said(law) for law in proof.verdicts if law in unmet)),
    )


def _said(law: Law) -> str:
    return f"{law.name}: its premise is met in no state that was explored, and in no run with {MORE}"


__all__ = ["with_unmet"]
