"""Laws that a proof shows, and whose premise no state of a complete exploration meets.

A lawful state meets it, or the proof had called the law vacuous; but perhaps no run gets there, however many names there are. So it
is looked for in runs with a name more of each sort. A law that these do not meet either says nothing, as far as anybody has seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from refmodel.engines import random
from refmodel.engines.scope import small
from refmodel.engines.verdicts import EngineReport, Verdict
from refmodel.language.design import Outline
from refmodel.language.laws import Law

BATCH, BATCHES = 100, 15
"""Random runs with a name more of each sort, and how often so many are taken until every law is met."""


def with_unmet(design: Outline, reports: Sequence[EngineReport]) -> list[EngineReport]:
    """The reports; of what is proved and was met nowhere, the proof says that it is vacuous."""
    explored = next((r for r in reports if r.engine == "exhaustive" and r.numbers.complete), None)
    return [report if report.engine != "prove" or explored is None else _judged(design, report, explored) for report in reports]


def _judged(design: Outline, proof: EngineReport, explored: EngineReport) -> EngineReport:
    unmet = {law for law, verdict in explored.verdicts.items()
             if verdict == Verdict.VACUOUS and proof.verdicts.get(law) == Verdict.PROVED}
    geometry = small(design, 1)
    for batch in range(BATCHES):
        if not unmet:
            return proof
        unmet -= random.campaign(design.judging(unmet.__contains__), geometry, seconds=float("inf"), runs=BATCH, first=batch).met
    return attrs.evolve(proof, verdicts={**proof.verdicts, **dict.fromkeys(unmet, Verdict.VACUOUS)},
                        notes=(*proof.notes, *(_said(law, geometry) for law in proof.verdicts if law in unmet)))


def _said(law: Law, geometry: object) -> str:
    return f"{law.name}: its premise is met in no state that was explored, and in no run with {geometry}"


__all__ = ["with_unmet"]
