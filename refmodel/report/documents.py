"""Reports on designs as documents: what ``--json`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.counterexamples import Counterexample
from refmodel.engines.machine import Broken, Failure
from refmodel.engines.verdicts import EngineReport, conclusion, status_of
from refmodel.engines.words import call, place
from refmodel.engines.words import shown as shown_value
from refmodel.language.design import Outline
from refmodel.report import terminal


def run_of(name: str, outline: Outline, report: EngineReport, failure: Failure) -> BrokenRun:
    """A run of a report's, with all that it takes to print it."""
    return BrokenRun(outline, report.geometry or outline.cls.geometry, failure, name)


def document(name: str, outline: Outline, reports: Sequence[EngineReport]) -> dict[str, Any]:
    """All reports on a design."""
    return {
        "design": name,
        "status": status_of(reports),
        "conclusion": conclusion(reports),
        "engines": [{
            "engine": r.engine, "covered": r.covered, "numbers": attrs.asdict(r.numbers),
            "seconds": round(r.seconds, 3), "notes": list(r.notes),
            "undecided": [*([r.why] if r.why else []), *r.unproved], "remembered": r.remembered,
            "laws": [{"clause": each.clause, "law": each.name, "verdict": str(v), "words": r.words(each)}
                     for each, v in r.verdicts.items()],
            "failure": _failure_document(name, outline, r),
            "examples": [_run_document(run_of(name, outline, r, each)) for each in r.examples],
            "suggestion": {"words": list(r.suggestion), "laws": r.suggested} if r.suggestion else None,
            "leans_on": None if r.leans_on is None else {law: list(uses) for law, uses in r.leans_on.items()},
            "counterexamples": [_counterexample_document(outline, case) for case in r.counterexamples],
            "disagreement": _disagreement_document(name, outline, r),
        } for r in reports],
    }


def _disagreement_document(name: str, outline: Outline, report: EngineReport) -> dict[str, Any] | None:
    case = report.disagreement
    if case is None:
        return None
    token = None if case.failure is None else run_of(name, outline, report, case.failure).token
    return {"kind": case.kind, "case": case.case, "token": token}


def _failure_document(name: str, outline: Outline, report: EngineReport) -> dict[str, Any] | None:
    if report.failure is not None and report.geometry is not None:
        return _run_document(run_of(name, outline, report, report.failure))
    if report.counterexamples:
        return {**_broken_document(report.counterexamples[0].witness.broken),
                "from_a_lawful_state": True, "operation": report.operation}
    return None


def _run_document(run: BrokenRun) -> dict[str, Any]:
    return {**_broken_document(run.failure.broken),
            "steps": [str(terminal.step_title(run.design, i, t)) for i, t in enumerate(run.told(), 1)], "token": run.token}


def _broken_document(broken: Broken) -> dict[str, Any]:
    return {"clause": broken.clause, "law": broken.law.name if broken.law else None, "sentence": broken.sentence,
            "names": dict(broken.names), "error": broken.error}


def _counterexample_document(outline: Outline, case: Counterexample) -> dict[str, Any]:
    """A counterexample to induction: the entries that matter, the step, and the law that it breaks."""
    entries = [{"entry": f"{table}[{place(outline.table(table), key)}]", "value": shown_value(outline.table(table).value, value)}
               for table, key, value in case.entries]
    return {**_broken_document(case.witness.broken), "operation": case.operation, "step": call(outline, case.witness.step),
            "from": entries, "other_entries": case.others}
