"""``refmodel serve``, ``drive`` and ``clients``: judging an implementation while it runs."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from refmodel.cli.common import (
    BAD_INPUT,
    FAILS,
    HOLDS,
    UNDECIDED,
    Coverage,
    Ended,
    Html,
    Junit,
    KnownFile,
    Sarif,
    Seed,
    app,
    err,
    out,
    print_document,
    tell_unmet,
    to_be_written,
    write_page,
)
from refmodel.cli.loudness import loudness
from refmodel.language import BadDesign
from refmodel.language.plurals import many
from refmodel.oracle.trace.commands import read_commands
from refmodel.oracle.trace.driving import Driven, Stopped, repeat
from refmodel.oracle.trace.driving import drive as drive_it
from refmodel.oracle.trace.exercised import exercised
from refmodel.oracle.trace.expected import read_expected
from refmodel.oracle.trace.lockstep import converse, listening
from refmodel.report import ci, traces
from refmodel.report.files import put
from refmodel.report.judged_documents import DrivenDocument

if TYPE_CHECKING:
    from refmodel.report.pages import Page


@app.command()
def serve(
    socket: Annotated[
        Path | None,
        typer.Option(help="listen on this Unix socket instead of standard input, with a separate judge for each connection"),
    ] = None,
) -> None:
    """Judge trace events as they arrive: read a JSON line for each event, and answer with a line.

    specs/traces.md describes the format of a line.

    Exit status: 0 every event was lawful, 1 an event deviated, 2 a line was no event, 3 there were no events; with --socket 0 after
    Ctrl-C, whatever the connections were told.
    """
    if socket is None:
        done = converse("standard input", sys.stdin.buffer, sys.stdout.buffer)
        raise typer.Exit(FAILS if done.deviated else BAD_INPUT if done.erred else HOLDS if done.judged else UNDECIDED)
    with listening(socket) as server:
        err.print(f"listening at {socket}; end with Ctrl-C", soft_wrap=True, markup=False)
        try:
            server.serve_forever()
        except (Ended, KeyboardInterrupt):
            raise typer.Exit(HOLDS) from None


@app.command()
def drive(
    command: Annotated[list[str], typer.Argument(help="the command of the implementation, and its arguments")],
    seconds: Annotated[float, typer.Option(help="how many seconds to generate runs", min=0.1)] = 10.0,
    runs: Annotated[
        int | None, typer.Option(help="generate this many runs, however long they take; --seed determines the runs", min=1)
    ] = None,
    seed: Seed = 0,
    save: Annotated[Path | None, typer.Option(help="write the trace of the deviating run to this file")] = None,
    save_commands: Annotated[
        Path | None, typer.Option(help="write the commands of the deviating run to this file, one per line")
    ] = None,
    commands: Annotated[Path | None, typer.Option(help="generate no runs; carry out the commands in this file once")] = None,
    html: Html = None,
    junit: Junit = None,
    sarif: Sarif = None,
    known: KnownFile = None,
    coverage: Coverage = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Generate operations, have an implementation carry them out, and judge what it reports.

    A deviating run is shortened before it is printed. Put the implementation's command after --, so that its options are not taken
    for options of drive: refmodel drive --runs 50 -- ./monitor --option.

    Exit status: 0 no new deviation, 1 a new deviation, 2 the implementation did not run or did not report a trace, 3 no reported
    event concerns memory.
    """
    if commands is not None and (runs is not None or seed):
        raise BadDesign("--commands carries out the given commands, and cannot be used with --runs or --seed")
    to_be_written([save, save_commands, html, junit, sarif], [known, commands])
    with ci.beginning("drive", command[:1], junit, sarif):
        expected, saved = read_expected(known), None if commands is None else read_commands(commands)
    ended = ""
    try:
        done = (
            drive_it(command, seconds=seconds, runs=runs, start=seed, expected=expected)
            if saved is None
            else repeat(command, saved, expected)
        )
    except Stopped as why:
        done = why.driven
        ended = f"ended before it was done: {many(done.runs, 'run')} made"
    except BadDesign as why:
        ci.save([ci.of_error("drive", command[0], str(why))], junit, sarif)
        raise
    if as_json:
        print_document(DrivenDocument(**attrs.asdict(done, recurse=False), exercised=exercised([done.met])))
    elif loudness.verdicts_alone:
        out.verdict(traces.driven_in_a_line(done), markup=False)
    else:
        traces.driven(out, done)
        if coverage:
            out.print("\n".join(exercised([done.met]).lines()), soft_wrap=True, markup=False)
    tell_unmet(expected.unused(done.deviations), " in these runs")
    ci.save(ci.of_driving(done, command[0], ended), junit, sarif)
    if html is not None:
        write_page(_page(done), html)
    _save(save, done.trace)
    _save(save_commands, [json.dumps(each) for each in done.failing])
    if ended:
        raise Ended(f"{ended}{'; the run that deviates may not be the shortest' if done.deviation is not None else ''}")
    raise typer.Exit(FAILS if done.deviation is not None else HOLDS if done.judged else UNDECIDED)


def _page(done: Driven) -> Page:
    """What driving came to; and the run that deviates, drawn."""
    from refmodel.report import pages, trace_stories

    said = (traces.driven_in_a_line(done),)
    if done.deviation is None:
        return pages.Page("refmodel drive", said)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.jsonl"
        put("\n".join(done.trace) + "\n", file)
        story = trace_stories.of_trace(str(file), done.deviation)
    title = f"{done.name}: line {done.deviation.line} of its trace breaks {done.deviation.clause}"
    return pages.Page("refmodel drive", said, stories=(attrs.evolve(story, title=title),))


def _save(file: Path | None, lines: Sequence[str]) -> None:
    """What an earlier run has left there goes, so that nobody takes it for what this one found."""
    if file is None:
        return
    if lines:
        put("\n".join(lines) + "\n", file)
        return
    try:
        if file.is_file() and not file.is_symlink():
            file.unlink()
    except OSError as why:
        raise BadDesign(f"{file}: cannot be removed: {why.strerror or why}") from None


@app.command()
def clients(
    folder: Annotated[Path, typer.Argument(help="the folder for the files; the folder is created if necessary")],
) -> None:
    """Copy to a folder the files with which programs in C and Rust report events to refmodel.

    The files are two C headers, two Rust modules, a small example monitor in each language, and a vector test in C.

    Exit status: 0, or 2 if the folder cannot be written.
    """
    with resources.as_file(resources.files("refmodel").joinpath("clients")) as home:
        try:
            for file in sorted(home.rglob("*.*")):
                if file.suffix in (".c", ".h", ".rs"):
                    target = folder / file.relative_to(home)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
                    out.print(str(target), soft_wrap=True)
        except OSError as why:
            raise BadDesign(f"{folder}: cannot be written: {why.strerror or why}") from None
