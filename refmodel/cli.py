"""The command ``refmodel``."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from hypothesis import configuration
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from refmodel.bugs import MUTANTS
from refmodel.designs import COMBINED, REFERENCES, SHIPPED
from refmodel.engines import checking
from refmodel.engines.bench import matrix as kill_matrix
from refmodel.engines.checking import Report
from refmodel.engines.differential import Comparison, common, compare
from refmodel.engines.exits import measure
from refmodel.engines.machine import replay as run_again
from refmodel.engines.proof_cache import ProofCache
from refmodel.engines.tokens import decode, encode, spec_of
from refmodel.language import outline as outline_of
from refmodel.language.design import Outline
from refmodel.language.unsound import BadDesign, Unsound
from refmodel.loading import load
from refmodel.machine.x86_instructions import X86_INSTRUCTIONS, classify
from refmodel.oracle.implementations import IMPLEMENTATIONS, Absent
from refmodel.oracle.judging import Lost, Verdict, judge
from refmodel.oracle.known import explanation, new_titles
from refmodel.report import efficiency, terminal

TOPICS = ("exits", "instructions")
HOLDS, FAILS, BAD_INPUT, UNDECIDED = 0, 1, 2, 3

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None,
                  help="The reference model of memory virtualization: check designs, judge implementations.")
out = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
err = Console(stderr=True, highlight=False)


@app.command()
def check(
    design: Annotated[str | None, typer.Argument(help="a shipped name, file.py, file.py:Class or package.module:Class; "
                                                      "without it, everything that ships and is installed")] = None,
    law: Annotated[str | None, typer.Option(help="judge this clause only, such as ISO-2")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="random, exhaustive, prove or bounded; may be repeated")] = None,
    seconds: Annotated[float | None, typer.Option(help="how long to draw random runs: 5, or 8 for all designs together",
                                                  min=0.1)] = None,
    explore_seconds: Annotated[float | None, typer.Option(help="stop exploring after this long", min=0.1)] = None,
    depth: Annotated[int, typer.Option(help="steps that the bounded engine looks ahead", min=1)] = 4,
    seed: Annotated[int, typer.Option(help="where the random engines start")] = 0,
    fresh: Annotated[bool, typer.Option(help="prove and explore again what is remembered of the very same text")] = False,
    combined: Annotated[bool, typer.Option(help="without a name: every MMU over all of memory management together, by random runs "
                                                "and proof")] = False,
    against: Annotated[str | None, typer.Option(help="run it beside this design (interpreter) instead, and compare what "
                                                     "guests see")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Check designs by proof, by exploration and by random runs.

    Exit status: 0 all laws hold, 1 one fails, 2 bad input, 3 undecided.
    """
    if against is not None:
        raise typer.Exit(_compared(design, against, seconds or 5.0, seed, as_json))
    names = [design] if design is not None else list(COMBINED if combined else SHIPPED)
    seconds = seconds or (5.0 if design is not None else 8.0 / len(names))
    engines = tuple(dict.fromkeys(engine or ()))
    documents, worst = [], HOLDS
    ask = partial(_check_one, law=law, engines=engines, seconds=seconds, explore_seconds=explore_seconds, depth=depth, seed=seed,
                  fresh=fresh, quiet=as_json or design is None)
    for name, reports in zip(names, _all(ask, names), strict=True):
        outline = _outline(name, law)
        worst = max(worst, _status(reports), key=_severity)
        documents.append(_document(name, outline, reports))
        if not as_json:
            _show(name, outline, reports)
    if design is None and law is None and engine is None and not combined:
        verdicts, _ = _judged("unicorn", 1.0, seed, quiet=as_json)
        documents += [_judged_document(v) for v in verdicts]
    if as_json:
        print(json.dumps(documents, indent=2))
    raise typer.Exit(worst)


@app.command("judge")
def judge_command(
    name: Annotated[str, typer.Argument(help=f"the implementation: {', '.join(IMPLEMENTATIONS)}")],
    seconds: Annotated[float, typer.Option(help="how long to draw tests for each subject", min=0.1)] = 4.0,
    checks: Annotated[int | None, typer.Option(
        help="this many tests for each subject, however long they take; of slow ones, as many as the time allows", min=1)] = None,
    seed: Annotated[int, typer.Option(help="where drawing starts")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Judge a real MMU by the model: page walks, two-dimensional walks, staleness.

    Exit status: 0 no deviation that is not known, 1 new deviations, 2 bad input, 3 not installed, or it ended.
    """
    if name not in IMPLEMENTATIONS:
        raise BadDesign(f"{name}: no such implementation; expected {', '.join(IMPLEMENTATIONS)}")
    verdicts, ran = _judged(name, seconds, seed, checks, quiet=as_json)
    if as_json:
        print(json.dumps([_judged_document(v) for v in verdicts], indent=2))
    if any(new_titles(v) for v in verdicts):
        raise typer.Exit(FAILS)
    if not ran:
        raise typer.Exit(UNDECIDED)
    if not as_json:
        out.print(f"{name}: nothing new", style="green")


@app.command()
def prove(
    fresh: Annotated[bool, typer.Option(help="prove again what is remembered as proved")] = False,
) -> None:
    """Prove every theorem in proofs/, in a checkout of the repository; what was proved of the very same text is remembered.

    Exit status: 0 all are proved, 1 one is refuted, 2 bad input, 3 undecided.
    """
    from refmodel.engines.theorems import prove_all

    worst = HOLDS
    for told in prove_all(Path.cwd(), fresh):
        how = "remembered" if told.remembered else told.verdict
        style = {"proved": "green", "refuted": "bold red"}.get(told.verdict, "yellow")
        out.print(f"[{style}]{how:>10}[/]  {told.seconds:6.1f} s  {escape(told.says)}  [dim]{escape(told.name)}[/]", soft_wrap=True)
        if told.why:
            out.print(escape(told.why), soft_wrap=True)
        worst = max(worst, {"proved": HOLDS, "refuted": FAILS}.get(told.verdict, UNDECIDED), key=_severity)
    raise typer.Exit(worst)


@app.command()
def bench(
    name: Annotated[str | None, typer.Argument(help="one bug; without it, all of them")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Let every engine look for every bug of the bench: found or not, by which clause, in how many steps and seconds.

    Exit status: 0 each is found by at least one engine, 1 one is not, 2 bad input.
    """
    if name is not None and name not in MUTANTS:
        raise BadDesign(f"{name}: no such bug; expected one of {', '.join(MUTANTS)}")
    bugs = {n: m for n, m in MUTANTS.items() if name in (None, n)}
    rows = dict(kill_matrix({n: m.design for n, m in bugs.items()}))
    if as_json:
        print(json.dumps([{"bug": n, "clause": bugs[n].clause, "about": bugs[n].title, "entry": bugs[n].entry,
                           "reference": bugs[n].reference, "engines": [attrs.asdict(k) for k in kills]}
                          for n, kills in rows.items()], indent=2))
    else:
        out.print(terminal.kill_table({n: (bugs[n].clause, bugs[n].told) for n in bugs}, rows))
    missed = [n for n, kills in rows.items() if all(k.clause is None for k in kills)]
    if missed:
        err.print(f"found by no engine: {', '.join(missed)}")
    raise typer.Exit(FAILS if missed else HOLDS)


@app.command()
def replay(token: Annotated[str, typer.Argument(help="the token printed under a trace")]) -> None:
    """Run a recorded run again, step by step.

    Exit status: 0 it breaks no law, 1 it breaks one, 2 bad input.
    """
    spec, said = spec_of(token)
    outline = load(spec)
    geometry, run = decode(outline, said)
    told = list(run_again(outline, geometry, run))
    out.print(terminal.trace(outline, told))
    broken = told[-1].broken if told else None
    if broken is not None:
        out.print(terminal.broken_clause(broken))
    raise typer.Exit(HOLDS if broken is None else FAILS)


@app.command()
def explain(
    topic: Annotated[str, typer.Argument(help=f"one of {', '.join(TOPICS)}")],
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Explain what an MMU costs (exits), or what Popek and Goldberg would say of x86 (instructions).

    Exit status: 0, or 2 for a topic that there is not.
    """
    if topic not in TOPICS:
        raise BadDesign(f"{topic}: nothing to explain; expected one of {', '.join(TOPICS)}")
    if topic == "exits":
        measured = measure()
        if as_json:
            print(json.dumps([attrs.asdict(m) for m in measured], indent=2))
            return
        out.print(efficiency.exits_table(measured))
        out.print(efficiency.exits_plot(measured))
        return
    if as_json:
        print(json.dumps([{"instruction": x.name, **attrs.asdict(classify(x.does)), "remedy": x.remedy} for x in X86_INSTRUCTIONS],
                         indent=2))
        return
    out.print(efficiency.instruction_table())
    out.print(efficiency.instruction_verdict())


# ---------------------------------------------------------------- doing


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


def _all(ask: Callable[[str], list[Report]], names: Sequence[str]) -> Iterator[list[Report]]:
    """The reports on every design, in order."""
    if len(names) == 1:
        yield ask(names[0])
        return
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        yield from pool.map(ask, names)


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


def _judged(name: str, seconds: float, seed: int, checks: int | None = None, *, quiet: bool) -> tuple[list[Verdict], bool]:
    """The verdicts on every subject, shown as they come; and whether it all ran."""
    verdicts = []
    try:
        with contextlib.closing(IMPLEMENTATIONS[name].campaigns()) as campaigns:
            for campaign in campaigns:
                counted = checks is not None and not campaign.slow
                verdicts.append(judge(campaign, seconds=1e9 if counted else seconds, start=seed,
                                      checks=checks if counted and checks else 1_000_000_000))
                if not quiet:
                    terminal.judged(out, verdicts[-1])
    except Absent as why:
        err.print(f"judge {name}: {'the rest is ' if verdicts else ''}skipped, {why}", soft_wrap=True)
        return verdicts, bool(verdicts)
    except Lost as why:
        err.print(f"judge {name}: {why}", soft_wrap=True)
        return verdicts, False
    return verdicts, True


def _severity(status: int) -> int:
    return (HOLDS, UNDECIDED, FAILS, BAD_INPUT).index(status)


def _status(reports: Sequence[Report]) -> int:
    if any(r.failed for r in reports):
        return FAILS
    return UNDECIDED if any(r.undecided for r in reports) else HOLDS


# ---------------------------------------------------------------- showing


def _show(name: str, outline: Outline, reports: Sequence[Report]) -> None:
    out.print(terminal.verdict_table(outline, reports))
    for line in terminal.coverage(reports):
        out.print(line, soft_wrap=True)
    for report in reports:
        _show_failure(name, outline, report)
    status = _status(reports)
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


def _document(name: str, outline: Outline, reports: Sequence[Report]) -> dict[str, Any]:
    return {
        "design": name,
        "status": _status(reports),
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


def _judged_document(verdict: Verdict) -> dict[str, Any]:
    deviations = []
    for d in verdict.deviations:
        known = explanation(verdict.implementation, d.finding.title)
        deviations.append({"title": d.finding.title, "source": d.finding.source, "times": verdict.seen.get(d.finding.title, 0),
                           "known": known.name if known else None, "test": list(d.test.lines()),
                           "expected": d.finding.expected, "got": d.finding.got})
    return {"judge": verdict.implementation, "subject": verdict.subject, "checks": verdict.checks,
            "seconds": round(verdict.seconds, 3), "deviations": deviations}


def main() -> None:
    """Run the command; bad input is one message and status 2."""
    # Hypothesis keeps notes of its own, which are not to appear where the user works.
    configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "refmodel-hypothesis")
    try:
        app()
    except (BadDesign, Unsound) as why:
        err.print(f"refmodel: {escape(str(why))}", soft_wrap=True)
        raise SystemExit(BAD_INPUT) from None


if __name__ == "__main__":
    main()
