"""One engine's run against another's verdict: a run on ints that breaks a law which another engine showed is no error of the
design, but a verdict of its own."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from refmodel.engines.machine import Broken, Failure
from refmodel.engines.verdicts import COMPLETE, ENGINES_DISAGREE, PLEASE, Disagreement, EngineReport, Verdict
from refmodel.engines.words import names_of
from refmodel.language.plurals import many


def claims(report: EngineReport, broken: Broken) -> bool:
    """Whether a report says that no run does this. A text that aborts breaks what is claimed of every law together."""
    shown = (Verdict.PROVED, Verdict.HOLDS, Verdict.NO_RUN, Verdict.VACUOUS)
    if broken.law is None:
        return bool(report.verdicts) and all(v in shown for v in report.verdicts.values())
    return report.verdicts.get(broken.law) in shown


def disagreement(report: EngineReport, other: str, failure: Failure) -> Disagreement:
    """The verdict that this run of another engine breaks what the report claims."""
    broken = failure.broken
    law = broken.law.name if broken.law else broken.clause
    said = report.words(broken.law) if broken.law in report.verdicts else "every law holds"
    names = f" for {names_of(broken)}" if names_of(broken) else ""
    run = f"A run of {many(len(failure.run.steps), 'step')}, found by {other}, breaks it{names}."
    return Disagreement(ENGINES_DISAGREE, f"{report.engine} says of {law}: {said}. {run} {PLEASE}", failure)


def with_disagreements(reports: Sequence[EngineReport]) -> list[EngineReport]:
    """The reports, with a disagreement where a run breaks what another engine showed."""
    found = []
    for report in reports:
        against = next(
            (
                r
                for r in reports
                if r.failure is not None
                and r is not report
                and report.engine in (*COMPLETE, "bounded")
                and _within(report, r)
                and claims(report, r.failure.broken)
            ),
            None,
        )
        if against is not None and against.failure is not None and report.disagreement is None:
            report = attrs.evolve(report, disagreement=disagreement(report, against.engine, against.failure))  # noqa: PLW2901
        found.append(report)
    return found


def _within(report: EngineReport, other: EngineReport) -> bool:
    """Whether a report speaks of the other's run: a proof of every run, an exploration of its geometry, a search of short runs."""
    if report.engine == "prove":
        return True
    short = report.is_whole or (other.failure is not None and len(other.failure.run.steps) <= report.bound)
    return report.geometry == other.geometry and short
