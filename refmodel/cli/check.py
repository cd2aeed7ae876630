"""``refmodel check``: designs by proof, by exploration, by random runs, and beside each other."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from refmodel.cli.common import FAILS, HOLDS, UNDECIDED, Html, Jobs, On, app, err, out, severity, status_of
from refmodel.cli.judge import judged_by, judged_document
from refmodel.designs import COMBINED, REFERENCES, SHIPPED
from refmodel.engines import checking
from refmodel.engines.checking import Report
from refmodel.engines.differential import Comparison, common, compare
from refmodel.engines.machine import replay as run_again
from refmodel.engines.proof_cache import ProofCache
from refmodel.engines.random import BATCH, Campaign, campaign, together
from refmodel.engines.spread import Where, spread
from refmodel.engines.tokens import encode
from refmodel.language import outline as outline_of
from refmodel.language.design import Outline
from refmodel.language.unsound import BadDesign
from refmodel.loading import load
from refmodel.pairs import PAIRS
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
    runs: Annotated[int | None, typer.Option(help="this many random runs, however long they take, and no other engine; shared "
                                                  "by --jobs or --on they are the same", min=1)] = None,
    html: Html = None,
    jobs: Jobs = None,
    on: On = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Check designs by proof, by exploration and by random runs.

    Exit status: 0 all laws hold, 1 one fails, 2 bad input, 3 undecided.
    """
    _refuse_what_does_not_go_together(design, engine, combined, pairs, against, runs, html)
    if against is not None:
        raise typer.Exit(_compared(design, against, seconds or 5.0, seed, as_json))
    where = Where(jobs or (1 if design is not None else AT_ONCE), on)
    names = [design] if design is not None else list(COMBINED if combined else PAIRS if pairs else SHIPPED)
    seconds = seconds or (5.0 if design is not None else 16.0 / len(names))
    engines = tuple(dict.fromkeys(engine or (("exhaustive",) if pairs else ())))
    documents, worst, shown = [], HOLDS, list[tuple[str, Outline, list[Report]]]()
    ask = partial(_check_one, law=law, engines=engines, seconds=seconds, explore_seconds=explore_seconds, depth=depth, seed=seed,
                  fresh=fresh, quiet=as_json or design is None)
    answers = _counted(names, law, seed, runs, where) if runs is not None else spread(ask, names, where)
    for name, reports in zip(names, answers, strict=True):
        outline = _outline(name, law)
        worst = max(worst, status_of(reports), key=severity)
        documents.append(_document(name, outline, reports))
        shown.append((name, outline, reports))
        if not as_json:
            _show(name, outline, reports)
    if design is None and law is None and engine is None and not combined and not pairs and runs is None:
        verdicts, _ = judged_by("unicorn", 1.0, seed, quiet=as_json)
        documents += [judged_document(v) for v in verdicts]
    if html is not None:
        pages.write(_page(shown), html)
    if as_json:
        print(json.dumps(documents, indent=2))
    raise typer.Exit(worst)


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


def _counted(names: Sequence[str], law: str | None, seed: int, runs: int, where: Where) -> Iterator[list[Report]]:
    """So many random runs of each design, batch by batch."""
    for name in names:
        batches = range(max(1, -(-runs // BATCH)))
        done = together(list(spread(partial(one_batch, name, law, seed), batches, where)))
        yield [checking.of_campaign(_outline(name, law), done)]


def one_batch(name: str, law: str | None, seed: int, number: int) -> Campaign:
    """A batch of random runs, whoever draws it."""
    outline = _outline(name, law)
    judged = outline if law is None else outline.restricted(law)
    return campaign(judged, outline.cls.geometry, seconds=float("inf"), runs=BATCH, start=seed, first=number)


def _check_one(name: str, law: str | None, engines: Sequence[str], seconds: float, explore_seconds: float | None, depth: int,
               seed: int, fresh: bool, quiet: bool) -> list[Report]:
    outline = _outline(name, law)
    return _checked(outline, engines or checking.usual(outline), law, seconds, explore_seconds, depth, seed, fresh, quiet=quiet)


def _checked(outline: Outline, engines: Sequence[str], clause: str | None, seconds: float,
             explore_seconds: float | None, depth: int, seed: int, fresh: bool, quiet: bool) -> list[Report]:
    with Progress(BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}"), console=err, transient=True,
                  disable=quiet or not err.is_terminal) as progress:
        task = progress.add_task(outline.name, total=None)

        def notice(engine: str, text: str) -> None:
            progress.update(task, description=f"{outline.name}: {engine} {text}")

        return checking.check(outline, engines, clause=clause, seconds=seconds, explore_seconds=explore_seconds,
                              depth=depth, seed=seed, notice=notice, cache=None if fresh else ProofCache())


def _compared(design: str | None, against: str, seconds: float, seed: int, as_json: bool) -> int:
    """Run designs beside a reference, and show what was compared."""
    worst, documents = HOLDS, []
    for name in [design] if design is not None else list(SHIPPED):
        mine = load(name)
        beside = _reference(mine, against, must=design is not None)
        if beside is None:
            continue
        done = compare(mine, beside, seconds=seconds, seed=seed)
        worst = FAILS if done.difference else worst
        documents.append({"design": name, "against": beside.name, **attrs.asdict(done, filter=lambda a, v: a.name != "difference"),
                          "differs": done.difference is not None})
        if not as_json:
            _show_comparison(name, mine, beside, done)
    if as_json:
        print(json.dumps(documents, indent=2))
    return worst


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
    if done.difference is None:
        out.print(f"{name}: no difference that a guest could see\n", style="green")
        return
    told = list(run_again(mine, mine.cls.geometry, done.difference.run))
    out.print(terminal.trace(mine, told))
    out.print(f"shows {done.difference.shown}, where {beside.name} shows {done.difference.expected}", soft_wrap=True)
    out.print(f"{name}: a guest can tell the difference\n", style="bold red")


# ---------------------------------------------------------------- showing


def _show(name: str, outline: Outline, reports: Sequence[Report]) -> None:
    out.print(terminal.verdict_table(outline, reports))
    for line in terminal.coverage(reports):
        out.print(line, soft_wrap=True)
    for report in reports:
        _show_failure(name, outline, report)
    status = status_of(reports)
    words = {HOLDS: ("every law holds", "green"), FAILS: ("a law fails", "bold red"), UNDECIDED: ("undecided", "yellow")}
    text, style = words[status]
    out.print(f"{name}: {text}\n", style=style)


def _show_failure(name: str, outline: Outline, report: Report) -> None:
    if report.witness is not None:
        out.print(f"\n[bold]{report.engine}[/]: {report.operation} does not keep a law")
        out.print(terminal.witness_story(outline, report.operation, report.witness))
    if report.failure is not None and report.geometry is not None:
        told = list(run_again(outline, report.geometry, report.failure.run))
        how = " (a shortest one, found by exploring)" if report.engine == "prove" else ""
        out.print(f"\n[bold]{report.engine}[/]: a run of {len(told)} steps breaks a law{how}")
        out.print(terminal.trace(outline, told))
        out.print(terminal.broken_clause(report.failure.broken))
        token = encode(name, outline, report.geometry, report.failure.run)
        out.print(f"refmodel replay {token}", style="dim", soft_wrap=True)


def _page(shown: Sequence[tuple[str, Outline, list[Report]]]) -> pages.Page:
    """All designs: the table of each, and the story of each run that breaks a law."""
    stories = [stories_of.of_run(outline, r.geometry, r.failure.run, f"{name}, {r.engine}: a run that breaks a law",
                                 f"refmodel replay {encode(name, outline, r.geometry, r.failure.run)}", r.failure.broken)
               for name, outline, reports in shown for r in reports if r.failure is not None and r.geometry is not None]
    said = [f"{name}: {r.engine}: {r.covered}; {r.seconds:.1f} s" for name, _, reports in shown for r in reports]
    return pages.Page("refmodel check", tuple(said), tuple(pages.verdicts(*each) for each in shown), tuple(stories))


def _document(name: str, outline: Outline, reports: Sequence[Report]) -> dict[str, Any]:
    return {
        "design": name,
        "status": status_of(reports),
        "engines": [{
            "engine": r.engine, "covered": r.covered, "seconds": round(r.seconds, 3), "notes": list(r.notes),
            "undecided": list(r.unproved),
            "laws": [{"clause": law.clause, "law": law.name, "verdict": v} for law, v in r.verdicts.items()],
            "failure": _failure_document(name, outline, r),
        } for r in reports],
    }


def _failure_document(name: str, outline: Outline, report: Report) -> dict[str, Any] | None:
    if report.failure is not None and report.geometry is not None:
        told = list(run_again(outline, report.geometry, report.failure.run))
        broken = report.failure.broken
        return {"clause": broken.clause, "law": broken.law.name if broken.law else None, "sentence": broken.sentence,
                "names": dict(broken.names), "error": broken.error,
                "steps": [str(terminal.step_title(outline, i, t)) for i, t in enumerate(told, 1)],
                "token": encode(name, outline, report.geometry, report.failure.run)}
    if report.witness is not None:
        broken = report.witness.broken
        return {"clause": broken.clause, "law": broken.law.name if broken.law else None, "sentence": broken.sentence,
                "names": dict(broken.names), "error": broken.error,
                "from_a_lawful_state": True, "operation": report.operation}
    return None
