"""``refmodel check``: designs by proof, by exploration, by random runs, and beside each other."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from refmodel.cli.common import FAILS, HOLDS, UNDECIDED, Ended, Html, Jobs, On, app, err, out, severity, status_of
from refmodel.cli.judge import judged_by, judged_document
from refmodel.designs import COMBINED, REFERENCES, SHIPPED
from refmodel.engines import checking
from refmodel.engines.counterexamples import Counterexample
from refmodel.engines.differential import Comparison, common, compare
from refmodel.engines.machine import Broken, Failure
from refmodel.engines.machine import replay as run_again
from refmodel.engines.proof_cache import ProofCache
from refmodel.engines.random import BATCH, Campaign, campaign, together
from refmodel.engines.spread import Where, spread
from refmodel.engines.tokens import encode
from refmodel.engines.verdicts import EngineReport, conclusion
from refmodel.engines.words import call, place
from refmodel.engines.words import shown as shown_value
from refmodel.language import outline as outline_of
from refmodel.language.design import Outline
from refmodel.language.kinds import Geometry
from refmodel.language.unsound import BadDesign
from refmodel.loading import load
from refmodel.oracle.known import new_titles
from refmodel.points import PAIRS
from refmodel.report import pages, terminal
from refmodel.report import stories as stories_of


@app.command()
def check(
    design: Annotated[str | None, typer.Argument(help="a shipped name, file.py, file.py:Class or package.module:Class; "
                                                      "without it, everything that ships and is installed")] = None,
    law: Annotated[str | None, typer.Option(help="judge this clause only, such as ISO-2")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="random, exhaustive, prove or bounded; may be repeated")] = None,
    seconds: Annotated[float | None, typer.Option(help="how long to draw random runs: 5, or 16 for all designs together",
                                                  min=0.1)] = None,
    explore_seconds: Annotated[float | None, typer.Option(help="stop exploring after this long", min=0.1)] = None,
    depth: Annotated[int, typer.Option(help="steps that the bounded engine looks ahead", min=1)] = 4,
    seed: Annotated[int, typer.Option(help="where the random engines start")] = 0,
    fresh: Annotated[bool, typer.Option(help="prove and explore again what is remembered of the very same text")] = False,
    combined: Annotated[bool, typer.Option(help="without a name: every MMU over all of memory management together, by random runs "
                                                "and proof")] = False,
    pairs: Annotated[bool, typer.Option(help="without a name: every two mechanisms of memory management together, over any MMU, "
                                             "explored to the last state")] = False,
    against: Annotated[str | None, typer.Option(help="run it beside this design (interpreter) instead, and compare what "
                                                     "guests see")] = None,
    why: Annotated[bool, typer.Option(help="print the laws that the proof of each law leans on; cutting paths off as impossible "
                                           "may use others, which the last row names")] = False,
    suggest: Annotated[bool, typer.Option(help="for a law that is not inductive, look for laws that make it so; they are proved "
                                               "before they are printed")] = False,
    runs: Annotated[int | None, typer.Option(help="this many random runs, however long they take, and no other engine; shared "
                                                  "by --jobs or --on they are the same", min=1)] = None,
    html: Html = None,
    jobs: Jobs = None,
    on: On = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Check designs by proof, by exploration and by random runs.

    Exit status: 0 what was asked was shown, 1 a law fails or engines disagree, 2 bad input, 3 undecided, 130 it was
    ended before it was done.
    """
    _refuse_what_does_not_go_together(design, engine, combined, pairs, against, runs, html)
    _refuse_without_proof(engine, why, suggest, pairs or against is not None or runs is not None)
    if against is not None:
        raise typer.Exit(_compared(design, against, seconds or 5.0, seed, as_json))
    where = Where(jobs or (1 if design is not None else AT_ONCE), on)
    names = [design] if design is not None else list(COMBINED if combined else PAIRS if pairs else SHIPPED)
    seconds = seconds or (5.0 if design is not None else 16.0 / len(names))
    engines = tuple(dict.fromkeys(engine or (("exhaustive",) if pairs else ())))
    documents, worst, shown = list[dict[str, Any]](), HOLDS, list[tuple[str, Outline, list[EngineReport]]]()
    live = design is not None and runs is None and not as_json
    begun: list[EngineReport] = []

    def finished(report: EngineReport) -> None:
        """What a design's engine found is printed when it is found."""
        begun.append(report)
        if live and design is not None:
            _show_report(design, _outline(design, law), report, law)

    ask = partial(_check_one, law=law, engines=engines, seconds=seconds, explore_seconds=explore_seconds, depth=depth, seed=seed,
                  fresh=fresh, why=why, suggest=suggest, quiet=as_json or design is None)
    if runs is not None:
        answers = _counted(names, law, seed, runs, where)
    elif design is not None:
        answers = map(partial(ask, finished=finished), names)
    else:
        answers = spread(ask, names, where)

    def end(name: str, reports: list[EngineReport]) -> None:
        nonlocal worst
        outline = _outline(name, law)
        worst = max(worst, status_of(reports), key=severity)
        documents.append(_document(name, outline, reports, law))
        shown.append((name, outline, reports))
        if not as_json:
            _show(name, outline, reports, law, told=begun if live else ())

    interrupted = False
    try:
        for name, reports in zip(names, answers, strict=True):
            end(name, reports)
        if design is None and law is None and engine is None and not combined and not pairs and runs is None:
            verdicts, _ = judged_by("unicorn", 1.0, seed, quiet=as_json)
            documents += [judged_document(v) for v in verdicts]
            worst = max(worst, FAILS if any(new_titles(v) for v in verdicts) else HOLDS, key=severity)
    except (Ended, KeyboardInterrupt):
        interrupted = True
        if design is not None and begun and not shown:
            end(design, checking.compared(_outline(design, law), begun))
    if html is not None:
        pages.write(_page(shown, law), html)
    if as_json:
        print(json.dumps(documents, indent=2), flush=True)
    if interrupted:
        raise Ended
    raise typer.Exit(worst if shown else UNDECIDED)


# ---------------------------------------------------------------- doing


def _refuse_what_does_not_go_together(design: str | None, engine: list[str] | None, combined: bool, pairs: bool,
                                      against: str | None, runs: int | None, html: Path | None) -> None:
    if runs is not None and set(engine or ()) - {"random"}:
        raise BadDesign("--runs counts random runs: it goes with --engine random only")
    if combined and pairs:
        raise BadDesign("--combined and --pairs are two things to check: say one of them")
    if (combined or pairs) and (design is not None or against is not None):
        raise BadDesign("--combined and --pairs say what to check: they go with no name, and not with --against")
    if against is not None and (html is not None or runs is not None):
        raise BadDesign("--against compares designs: --html and --runs do not go with it")


def _refuse_without_proof(engine: list[str] | None, why: bool, suggest: bool, other: bool) -> None:
    if (why or suggest) and (other or (engine and "prove" not in engine)):
        raise BadDesign(f"{'--why' if why else '--suggest'} is about a proof: it goes with --engine prove")


def _outline(name: str, law: str | None) -> Outline:
    outline = load(name)
    if law is None:
        return outline
    clauses = sorted({each.clause for each in outline.laws})
    if law not in clauses:
        raise BadDesign(f"{law}: {outline.name} has no such law; it has {', '.join(clauses)}")
    return outline


AT_ONCE = 2
"""Designs checked side by side: where one waits for its longest proof, another explores."""


def _counted(names: Sequence[str], law: str | None, seed: int, runs: int, where: Where) -> Iterator[list[EngineReport]]:
    """So many random runs of each design, batch by batch."""
    for name in names:
        batches = range(-(-runs // BATCH))
        done = together(list(spread(partial(one_batch, name, law, seed, runs), batches, where)))
        outline = _outline(name, law)
        yield [checking.of_campaign(outline if law is None else outline.restricted(law), done)]


def one_batch(name: str, law: str | None, seed: int, runs: int, number: int) -> Campaign:
    """A batch of so many random runs, whoever draws it; the last one may be smaller."""
    outline = _outline(name, law)
    judged = outline if law is None else outline.restricted(law)
    return campaign(judged, outline.cls.geometry, seconds=float("inf"), runs=min(BATCH, runs - number * BATCH), start=seed,
                    first=number)


def _check_one(name: str, law: str | None, engines: Sequence[str], seconds: float, explore_seconds: float | None, depth: int,
               seed: int, fresh: bool, why: bool, suggest: bool, quiet: bool,
               finished: Callable[[EngineReport], None] = lambda report: None) -> list[EngineReport]:
    outline = _outline(name, law)
    return _checked(outline, engines or checking.usual(outline), law, seconds, explore_seconds, depth, seed, fresh, why,
                    suggest, quiet=quiet, finished=finished)


def _checked(outline: Outline, engines: Sequence[str], clause: str | None, seconds: float,
             explore_seconds: float | None, depth: int, seed: int, fresh: bool, why: bool, suggest: bool, quiet: bool,
             finished: Callable[[EngineReport], None]) -> list[EngineReport]:
    with Progress(BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}"), console=err, transient=True,
                  disable=quiet or not err.is_terminal) as progress:
        task = progress.add_task(outline.name, total=None)

        def notice(engine: str, text: str) -> None:
            progress.update(task, description=f"{outline.name}: {engine} {text}")

        return checking.check(outline, engines, clause=clause, seconds=seconds, explore_seconds=explore_seconds,
                              depth=depth, seed=seed, notice=notice, cache=None if fresh else ProofCache(), asks_why=why,
                              suggests=suggest, finished=finished)


def _compared(design: str | None, against: str, seconds: float, seed: int, as_json: bool) -> int:
    """Run designs beside a reference, and show what was compared."""
    worst, documents = HOLDS, []
    for name in [design] if design is not None else list(SHIPPED):
        mine = load(name)
        beside = _reference(mine, against, must=design is not None)
        if beside is None:
            continue
        done = compare(mine, beside, seconds=seconds, seed=seed)
        worst = max(worst, FAILS if done.difference else HOLDS if done.compared else UNDECIDED, key=severity)
        documents.append({"design": name, "against": beside.name, **attrs.asdict(done, filter=lambda a, v: a.name != "difference"),
                          "differs": done.difference is not None})
        if not as_json:
            _show_comparison(name, mine, beside, done)
    if as_json:
        print(json.dumps(documents, indent=2))
    return worst if documents else UNDECIDED


def _reference(mine: Outline, against: str, must: bool) -> Outline | None:
    """Of the designs of that name, the one whose instructions this one has."""
    candidates = [outline_of(cls) for cls in REFERENCES.get(against, ())] or [load(against)]
    for candidate in candidates:
        with contextlib.suppress(BadDesign):
            common(mine, candidate)
            return candidate
    if must:
        common(mine, candidates[0])
    return None


def _show_comparison(name: str, mine: Outline, beside: Outline, done: Comparison) -> None:
    out.print(f"{name} beside {beside.name}: {done.compared:,} instructions compared in {done.runs:,} runs, {done.seconds:.1f} s; "
              f"{done.explained:,} showed what only a cached translation explains", soft_wrap=True)
    if not done.compared:
        out.print(f"{name}: undecided: no instruction was compared\n", style="yellow")
        return
    if done.difference is None:
        out.print(f"{name}: no difference that a guest could see\n", style="green")
        return
    told = list(run_again(mine, mine.cls.geometry, done.difference.run))
    out.print(terminal.trace(mine, told))
    lacking = done.difference.lacking
    here = f"shows {done.difference.shown}" if lacking is None else f"has no {call(mine, lacking)}"
    out.print(f"{here}, where {beside.name} shows {done.difference.expected}", soft_wrap=True)
    out.print(f"{name}: a guest can tell the difference\n", style="bold red")


# ---------------------------------------------------------------- showing


def _show(name: str, outline: Outline, reports: Sequence[EngineReport], law: str | None, told: Sequence[EngineReport] = ()) -> None:
    """A design's reports, but for those that were shown as they came; the table; and what it all comes to."""
    for report in reports:
        if not any(report.engine == each.engine for each in told):
            _show_report(name, outline, report, law)
        elif report.disagreement is not None:
            _show_disagreement(name, outline, report)
    out.print(terminal.verdict_table(outline if law is None else outline.restricted(law), reports))
    style = {HOLDS: "green", FAILS: "bold red", UNDECIDED: "yellow"}[status_of(reports)]
    out.print(f"{name}: {conclusion(reports)}\n", style=style, soft_wrap=True)


def _show_report(name: str, outline: Outline, report: EngineReport, law: str | None) -> None:
    for line in terminal.coverage([report]):
        out.print(line, soft_wrap=True)
    _show_failure(name, outline, report, law)
    if report.disagreement is not None:
        _show_disagreement(name, outline, report)


def _show_disagreement(name: str, outline: Outline, report: EngineReport) -> None:
    case = report.disagreement
    assert case is not None
    out.print(terminal.disagreement(case), soft_wrap=True)
    if case.failure is not None:
        geometry = report.geometry or outline.cls.geometry
        judged = _judging(outline, case.failure.broken)
        out.print(terminal.trace(outline, list(run_again(judged, geometry, case.failure.run))))
        out.print(terminal.broken_clause(case.failure.broken))
        out.print(f"refmodel replay {_token(name, outline, geometry, case.failure)}", style="dim", soft_wrap=True)


def _judging(outline: Outline, broken: Broken) -> Outline:
    """The design with the law alone that a run breaks: the run is shown to where it does."""
    return outline if broken.law is None else attrs.evolve(outline, laws=(broken.law,))


def _token(name: str, outline: Outline, geometry: Geometry, failure: Failure) -> str:
    """The token of a run, which says what the run breaks."""
    return encode(name, outline, geometry, failure.run, failure.broken.clause)


def _show_failure(name: str, outline: Outline, report: EngineReport, law: str | None) -> None:
    if report.failure is not None and report.geometry is not None:
        told = list(run_again(_judging(outline, report.failure.broken), report.geometry, report.failure.run))
        how = " (a shortest one, found by exploring)" if report.engine == "prove" else ""
        out.print(f"\n[bold]{report.engine}[/]: a run of {len(told)} steps breaks {law or 'a law'}{how}")
        out.print(terminal.trace(outline, told))
        out.print(terminal.broken_clause(report.failure.broken))
        out.print(f"refmodel replay {_token(name, outline, report.geometry, report.failure)}", style="dim", soft_wrap=True)
    if report.leans_on is not None:
        out.print(terminal.leaning_table(report.leans_on))
    for number, case in enumerate(report.counterexamples, 1):
        of = f" {number} of {len(report.counterexamples)}" if len(report.counterexamples) > 1 else ""
        out.print(f"\n[bold]{report.engine}[/]: a counterexample to induction{of}, in {case.operation}; no run that breaks the law "
                  "was found", soft_wrap=True)
        out.print(terminal.witness_story(outline, case))
    if report.counterexamples and not report.suggestion:
        out.print(f"refmodel check {name} --engine prove --suggest looks for laws that exclude it", style="dim", soft_wrap=True)
    if report.suggestion:
        out.print(terminal.suggestion(report), soft_wrap=True)


def _page(shown: Sequence[tuple[str, Outline, list[EngineReport]]], law: str | None = None) -> pages.Page:
    """All designs: the table of each, and the story of each run that breaks a law."""
    stories = []
    for name, outline, reports in shown:
        for r in reports:
            failure = r.failure or (r.disagreement.failure if r.disagreement else None)
            if failure is not None:
                geometry = r.geometry or outline.cls.geometry
                title = f"{name}, {r.engine}: {r.disagreement.kind if r.disagreement else 'a run that breaks a law'}"
                stories.append(stories_of.of_run(_judging(outline, failure.broken), geometry, failure.run, title,
                                                 f"refmodel replay {_token(name, outline, geometry, failure)}", failure.broken))
            for case in r.counterexamples:
                stories.append(stories_of.of_counterexample(outline, case, f"{name}, {r.engine}: a counterexample to induction in "
                                                                           f"{case.operation}"))
    said = [line for name, _, reports in shown for line in _said(name, reports)]
    tables = tuple(pages.verdicts(name, outline if law is None else outline.restricted(law), reports)
                   for name, outline, reports in shown)
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
        yield f"{name}: {r.engine}: {'; '.join([covered, *r.notes, *r.unproved])}"


def _document(name: str, outline: Outline, reports: Sequence[EngineReport], law: str | None) -> dict[str, Any]:
    return {
        "design": name,
        "status": status_of(reports),
        "conclusion": conclusion(reports),
        "engines": [{
            "engine": r.engine, "covered": r.covered, "seconds": round(r.seconds, 3), "notes": list(r.notes),
            "undecided": [*([r.why] if r.why else []), *r.unproved], "remembered": r.remembered,
            "laws": [{"clause": each.clause, "law": each.name, "verdict": str(v), "words": r.words(each)}
                     for each, v in r.verdicts.items()],
            "failure": _failure_document(name, outline, r),
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
    token = None if case.failure is None else _token(name, outline, report.geometry or outline.cls.geometry, case.failure)
    return {"kind": case.kind, "case": case.case, "token": token}


def _failure_document(name: str, outline: Outline, report: EngineReport) -> dict[str, Any] | None:
    if report.failure is not None and report.geometry is not None:
        broken = report.failure.broken
        told = list(run_again(_judging(outline, broken), report.geometry, report.failure.run))
        return {**_broken_document(broken),
                "steps": [str(terminal.step_title(outline, i, t)) for i, t in enumerate(told, 1)],
                "token": _token(name, outline, report.geometry, report.failure)}
    if report.counterexamples:
        return {**_broken_document(report.counterexamples[0].witness.broken),
                "from_a_lawful_state": True, "operation": report.operation}
    return None


def _broken_document(broken: Broken) -> dict[str, Any]:
    return {"clause": broken.clause, "law": broken.law.name if broken.law else None, "sentence": broken.sentence,
            "names": dict(broken.names), "error": broken.error}


def _counterexample_document(outline: Outline, case: Counterexample) -> dict[str, Any]:
    """A counterexample to induction: the entries that matter, the step, and the law that it breaks."""
    entries = [{"entry": f"{table}[{place(outline.table(table), key)}]", "value": shown_value(outline.table(table).value, value)}
               for table, key, value in case.entries]
    return {**_broken_document(case.witness.broken), "operation": case.operation, "step": call(outline, case.witness.step),
            "from": entries, "other_entries": case.others}
