"""Reports on designs, shown at a terminal and put on a page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.markup import escape

from refmodel.cli.common import FAILS, HOLDS, UNDECIDED, out, status_of
from refmodel.cli.loudness import loudness
from refmodel.engines.broken_runs import BrokenRun
from refmodel.engines.reports_of_runs import there_is
from refmodel.engines.verdicts import EngineReport, conclusion
from refmodel.engines.words import unlike_the_operation
from refmodel.language.design import Outline
from refmodel.language.plurals import many
from refmodel.report import pages, terminal
from refmodel.report import stories as stories_of
from refmodel.report.documents import run_of


def show(name: str, outline: Outline, reports: Sequence[EngineReport], law: str | None, told: Sequence[EngineReport] = ()) -> None:
    """A design's reports, but for those that were shown as they came; the table; and what it all comes to."""
    for number, report in enumerate(reports):
        if not any(report.engine == each.engine for each in told):
            show_report(name, outline, report, law, reports[:number])
        elif report.disagreement is not None:
            _show_disagreement(name, outline, report)
    for report in reports:
        _show_examples(name, outline, report)
    out.print(terminal.verdict_table(outline if law is None else outline.restricted(outline.asked(law)), reports))
    style = {HOLDS: "green", FAILS: "bold red", UNDECIDED: "yellow"}[status_of(reports)]
    out.verdict(f"{name}: {conclusion(reports)}\n", style=style)


def show_in_a_line(name: str, outline: Outline, reports: Sequence[EngineReport]) -> None:
    """A design that holds: what was shown, by how many laws and in how many seconds."""
    seconds = sum(report.seconds for report in reports)
    remembered = ", remembered" if any(report.remembered for report in reports) else ""
    out.verdict(
        f"[green]{name}[/]: {conclusion(reports)} ({many(len(outline.operations), 'operation')}, "
        f"{many(len(outline.laws), 'law')}, "
        f"{seconds:.1f} s{remembered})"
    )


def say_done(name: str, reports: Sequence[EngineReport]) -> None:
    """With ``--verbose``: what each engine did, in how long, and whether it did so before."""
    for report in reports:
        did = f"undecided: {report.why}" if report.why else report.covered
        loudness.say(f"{name}: {report.engine}: {did}; {report.seconds:.1f} s, {'remembered' if report.remembered else 'fresh'}")


def show_report(
    name: str,
    outline: Outline,
    report: EngineReport,
    law: str | None,
    before: Sequence[EngineReport] = (),
    searches: bool = False,
) -> None:
    """What an engine found; a run that an engine before it has found is not printed again. ``searches``: it goes on to search for
    laws that are missing."""
    for line in terminal.coverage([report]):
        out.print(line, soft_wrap=True)
    known = next((each.engine for each in before if report.failure is not None and each.failure == report.failure), None)
    if known is not None and not report.counterexamples:
        out.print(f"\n[bold]{report.engine}[/]: the run that {known} found")
    else:
        _show_failure(name, outline, report, law)
        _show_suggestion_or_how_to_get_one(name, report, searches)
    if report.disagreement is not None:
        _show_disagreement(name, outline, report)


def _show_examples(name: str, outline: Outline, report: EngineReport) -> None:
    """The runs besides the one that is shown already."""
    others = [each for each in report.examples if each != report.failure]
    for number, failure in enumerate(others, 2):
        out.print(
            f"\n[bold]random[/]: run {number} of {len(others) + 1} that break laws, with {many(len(failure.run.steps), 'step')}"
        )
        _show_run(run_of(name, outline, report, failure))


def _show_disagreement(name: str, outline: Outline, report: EngineReport) -> None:
    case = report.disagreement
    assert case is not None
    out.print(terminal.disagreement(case), soft_wrap=True)
    if case.failure is not None:
        _show_run(run_of(name, outline, report, case.failure))


def _show_run(run: BrokenRun) -> None:
    out.print(terminal.trace(run.design, run.told()))
    out.print(terminal.broken_clause(run.failure.broken))
    if hint := unlike_the_operation(run.design, run.failure.broken, run.failure.run.steps[-1]) if run.failure.run.steps else "":
        out.print(f"       {escape(hint)}", style="dim", soft_wrap=True)
    out.print(f"refmodel replay {run.token}", style="dim", soft_wrap=True)


def _what_is_broken(report: EngineReport, law: str | None, is_of_one: bool) -> str:
    """A clause, or that it is the law which was asked for, or one of all. ``is_of_one``: the run is the shortest that breaks one
    law, and others may be broken by shorter ones."""
    assert report.failure is not None
    broken = report.failure.broken
    asked_for = broken.law is not None and broken.law.name == report.clause
    return "a law" if law is None and not is_of_one else "the law" if asked_for else escape(broken.clause)


def _show_failure(name: str, outline: Outline, report: EngineReport, law: str | None) -> None:
    if report.failure is not None and report.geometry is not None:
        found = " (a shortest one that does, found by exploring)" if report.operation else " (found by random runs)"
        how = found if report.engine == "prove" else ""
        steps = many(len(report.failure.run.steps), "step")
        other = report.geometry != outline.cls.geometry
        where = f"; in another geometry: {there_is(outline, report.geometry)}" if other else ""
        what = _what_is_broken(report, law, how != "")
        out.print(f"\n[bold]{report.engine}[/]: a run of {steps} breaks {what}{how}{where}", soft_wrap=True)
        _show_run(run_of(name, outline, report, report.failure))
    if report.leans_on is not None:
        out.print(terminal.leaning_table(report.leans_on))
    for number, case in enumerate(report.counterexamples, 1):
        of = f" {number} of {len(report.counterexamples)}" if len(report.counterexamples) > 1 else ""
        broken = case.witness.broken.law
        other = broken is not None and broken.name in report.refuted_others
        looked = (
            f"it breaks {broken.name}, on which the proof leans; no run was looked for"
            if broken is not None and other
            else "no run that breaks the law was found"
        )
        out.print(f"\n[bold]{report.engine}[/]: a counterexample to induction{of}, in {case.operation}; {looked}", soft_wrap=True)
        out.print(terminal.witness_story(outline, case))


def _show_suggestion_or_how_to_get_one(name: str, report: EngineReport, searches: bool) -> None:
    if searches:
        out.print("laws that exclude what was found are searched for; this may take minutes", style="dim", soft_wrap=True)
    elif report.suggestion:
        show_suggestion(report)
    elif report.counterexamples:
        for each in report.refuted_others:
            out.print(
                f"to look for a run that breaks {each}: refmodel check {shlex.quote(name)} --law {each}",
                style="dim",
                soft_wrap=True,
            )
        if not report.refuted_others:
            out.print(
                f"to look for laws that exclude the counterexample: refmodel check {shlex.quote(name)} --engine prove --suggest",
                style="dim",
                soft_wrap=True,
            )


def show_suggestion(report: EngineReport) -> None:
    """Laws that may be missing, if they were searched for."""
    if report.suggestion:
        out.print(terminal.suggestion(report), soft_wrap=True)


def page_of(shown: Sequence[tuple[str, Outline, list[EngineReport]]], law: str | None = None) -> pages.Page:
    """All designs: the table of each, and the story of each run that breaks a law."""
    stories = []
    for name, outline, reports in shown:
        for r in reports:
            one = r.failure or (r.disagreement.failure if r.disagreement else None)
            for failure in r.examples or ((one,) if one is not None else ()):
                title = f"{name}, {r.engine}: {r.disagreement.kind if r.disagreement else 'a run that breaks a law'}"
                stories.append(stories_of.of_broken_run(run_of(name, outline, r, failure), title))
            for case in r.counterexamples:
                stories.append(
                    stories_of.of_counterexample(
                        outline, case, f"{name}, {r.engine}: a counterexample to induction in {case.operation}"
                    )
                )
    said = [line for name, _, reports in shown for line in _said(name, reports)]
    tables = tuple(
        pages.verdicts(name, outline if law is None else outline.restricted(outline.asked(law)), reports)
        for name, outline, reports in shown
    )
    return pages.Page("refmodel check", tuple(said), tables, tuple(stories))


def _said(name: str, reports: Sequence[EngineReport]) -> Iterator[str]:
    """What a page says of a design beside the table: the conclusion, disagreements, and what each engine covered."""
    yield f"{name}: {conclusion(reports)}"
    for r in reports:
        if r.disagreement is not None:
            yield f"{name}: {r.disagreement.kind.upper()}: {r.disagreement.case}"
        for line in r.suggestion:
            yield f"{name}: {line}"
        covered = f"undecided: {r.why}" if r.why else f"{r.covered}; {r.seconds:.1f} s"
        yield f"{name}: {r.engine}: {'; '.join([covered, *r.notes, *r.unproved, *([r.left_open] if r.left_open else [])])}"
