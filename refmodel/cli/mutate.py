"""``refmodel mutate``: whether every mechanical change to a text is noticed."""

from __future__ import annotations

from os import cpu_count
from pathlib import Path
from typing import Annotated

import attrs
import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from refmodel.cli import completion
from refmodel.cli.common import FAILS, HOLDS, MOST, UNDECIDED, Jobs, app, err, files_of, out, print_document, to_be_written
from refmodel.cli.loudness import loudness
from refmodel.cli.progress import hidden
from refmodel.engines.mutation import campaign, hardware
from refmodel.engines.mutation.campaign import Campaign, Choice, Judged
from refmodel.engines.mutation.reasons import known
from refmodel.engines.mutation.scores import Score, kept, scored, with_score
from refmodel.loading import load
from refmodel.report.files import put
from refmodel.report.mutation_documents import MutantDocument, MutationDocument

MOST_NAMED = 3
"""Obligations that are not proved of the design itself of which a line is printed; the JSON document has all."""


@app.command()
def mutate(
    design: Annotated[
        str,
        typer.Argument(
            help="the design to mutate: a shipped name, file.py, file.py:Class or "
            "package.module:Class; or machine: the specification of the hardware, in a checkout "
            "of the repository",
            autocompletion=completion.designs,
        ),
    ],
    only: Annotated[
        str | None, typer.Option(help="mutate only functions whose file and name contain this text, such as monitor/ksm.py")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="judge only this many mutants, drawn at random", min=1)] = None,
    seed: Annotated[int, typer.Option(help="the seed by which --limit draws mutants", min=0, max=MOST)] = 0,
    jobs: Jobs = None,
    reasons: Annotated[
        Path | None,
        typer.Option(
            help="a TOML file of [[reason]] tables: says tells why nothing can notice some mutants, and mutants lists their keys, "
            "which are printed for survivors"
        ),
    ] = None,
    record: Annotated[Path | None, typer.Option(help="also write the score to this file, as JSON")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Change the code of a design in one place at a time, and report the changes that no check detects.

    Mutants of a design are judged by random runs, by runs beside another design, by proof and by exploration. A mutant that
    provably behaves like the original code is not counted as a survivor. An obligation that is not proved of the design itself
    notices no mutant.

    Exit status: 0 every survivor has a recorded reason, 1 a reason is missing or out of date, 2 bad input, 3 nothing was mutated.
    """
    if record is not None:
        to_be_written([record], files_of(design))
        kept(record)  # a file that cannot be read is bad input before the work, not after
    given = known() if reasons is None else (*known(), *known(reasons))
    choice = Choice(only, limit, seed)
    with Progress(
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=err,
        transient=True,
        disable=hidden(as_json),
    ) as progress:
        task = progress.add_task(f"mutants of {design}", total=None)

        def notice(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of)
            loudness.say(f"mutants of {design}: {done} of {of}")

        workers = jobs or cpu_count() or 1
        if design == hardware.NAME:
            done = hardware.of_machine(Path.cwd(), choice, workers, notice)
        else:
            done = campaign.of_design(design, load(design), choice, workers, notice, given)
    if record is not None:
        put(with_score(record, scored(done)), record)
    if as_json:
        print_document(_document(done))
    else:
        _show(done)
    raise typer.Exit(UNDECIDED if not done.judged else FAILS if done.open or done.stale else HOLDS)


def _show(done: Campaign) -> None:
    for judged in done.judged:
        if judged.open or judged.reason:
            _show_survivor(judged)
    for line in done.stale:
        out.print(escape(line), style="yellow", soft_wrap=True)
    if done.unproved:
        out.print(escape(_not_proved(done)), style="yellow", soft_wrap=True)
    out.verdict(_summary(scored(done)))


def _not_proved(done: Campaign) -> str:
    named = "; ".join(done.unproved[:MOST_NAMED]) + ("; …" if len(done.unproved) > MOST_NAMED else "")
    return f"not proved of {done.name} itself, so noticed by proof in no mutant: {named}"


def _show_survivor(judged: Judged) -> None:
    m = judged.mutant
    out.print(
        f"{m.file}:{m.line}: {m.operator} in {m.name} ({judged.verdict})",
        style="bold red" if judged.open else "dim",
        soft_wrap=True,
        markup=False,
    )
    out.print(f"  - {m.before}\n  + {m.after}", soft_wrap=True, markup=False)
    if judged.reason or judged.why:
        out.print(f"  {judged.reason or judged.why}", style="dim", soft_wrap=True, markup=False)
    out.print(f"  {m.key}", style="dim", soft_wrap=True, markup=False)


def _summary(s: Score) -> str:
    return (
        f"{s.name}: {s.judged} of {s.mutants} mutants judged in {s.seconds:.0f} s. {s.killed} are noticed, {len(s.survivors)} "
        f"survive: score {s.percent:.1f} %. Not counted: {s.refused} not in the language, {s.same} the same as the original, "
        f"{s.allowed} that only do what the original may do, {s.with_reason} equivalent for a reason that is written down."
    )


def _document(done: Campaign) -> MutationDocument:
    score = scored(done)
    judged = tuple(
        MutantDocument(
            j.mutant.file,
            j.mutant.line,
            j.mutant.name,
            j.mutant.operator,
            j.mutant.before,
            j.mutant.after,
            j.mutant.key,
            j.verdict,
            j.why,
            j.reason,
        )
        for j in done.judged
    )
    return MutationDocument(
        **attrs.asdict(score, recurse=False),
        survivors=score.survivors,
        percent=round(score.percent, 1),
        stale=tuple(done.stale),
        unproved=done.unproved,
        mutants_judged=judged,
    )
