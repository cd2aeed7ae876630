"""``refmodel bench``, ``replay``, ``explain``: what is claimed, and what shows it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import attrs
import typer

from refmodel import api
from refmodel.bugs import MUTANTS, Mutant
from refmodel.cli import completion, management
from refmodel.cli.common import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Ended,
    Html,
    app,
    err,
    files_of,
    out,
    print_document,
    to_be_written,
    write_page,
)
from refmodel.cli.loudness import loudness
from refmodel.cli.progress import Counting
from refmodel.engines.bench import Kill
from refmodel.engines.bench import matrix as kill_matrix
from refmodel.engines.machine import Told
from refmodel.engines.replaying import replay as run_again
from refmodel.engines.tokens import decode, has_changed, spec_of
from refmodel.language.design import Outline
from refmodel.language.nearly import did_you_mean
from refmodel.language.plurals import many
from refmodel.language.unsound import BadDesign
from refmodel.machine.x86.instructions import X86_INSTRUCTIONS, classify
from refmodel.management.simulation import POLICIES
from refmodel.report import efficiency, explaining, pages, stories, terminal
from refmodel.report.documents import replay_document
from refmodel.report.explained_documents import BugDocument, InstructionDocument

TOPICS = ("exits", "instructions", "mechanisms", "policy")
OF_MEMORY = ("exits", "mechanisms", "policy")
"""Topics that take a file, and can be put on a page."""


@app.command()
def bench(
    name: Annotated[
        str | None,
        typer.Argument(help="run the engines on only this bug; without it: on every bug", autocompletion=completion.bugs),
    ] = None,
    html: Html = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Run every engine on every bug of the benchmark.

    The kill matrix has a row for each bug and a column for each engine. A cell names the clause that the engine found broken, the
    number of steps of the run and the seconds of the search, or says that nothing was found. The proof finds no run: its cell says
    that a law is not inductive.

    Exit status: 0 every bug is found by at least one engine, 1 a bug is found by no engine, 2 bad input.
    """
    to_be_written([html])
    if name is not None and name not in MUTANTS:
        which = did_you_mean(name, MUTANTS) or f"expected one of {', '.join(MUTANTS)}"
        raise BadDesign(f"{name}: no such bug; {which}")
    bugs = {n: m for n, m in MUTANTS.items() if name in (None, n)}
    rows, interrupted = _rows(bugs, quiet=as_json)
    if as_json:
        print_document(
            [
                BugDocument(n, bugs[n].clause, bugs[n].title, bugs[n].entry, bugs[n].reference, tuple(kills))
                for n, kills in rows.items()
            ]
        )
    elif rows:
        out.print(terminal.kill_table({n: (bugs[n].clause, bugs[n].told) for n in bugs}, rows))
    if html is not None:
        write_page(pages.Page("refmodel bench", tables=(pages.kills(rows, bugs),)), html)
    if interrupted:
        raise Ended(f"ended before it was done: {len(rows)} of {len(bugs)} bugs were looked for")
    missed = [n for n, kills in rows.items() if all(k.clause is None for k in kills)]
    if missed:
        err.print(f"found by no engine: {', '.join(missed)}")
    if not as_json:
        out.verdict(f"{many(len(rows), 'bug')}: {len(rows) - len(missed)} found by at least one engine, {len(missed)} by none")
    raise typer.Exit(FAILS if missed else HOLDS)


def _rows(bugs: dict[str, Mutant], quiet: bool) -> tuple[dict[str, list[Kill]], bool]:
    """What each engine found of each bug, as far as it came; and whether the command was ended."""
    rows, names = dict[str, list[Kill]](), list(bugs)
    try:
        with Counting("bugs", names, quiet=quiet) as counting:
            for name, kills in kill_matrix({n: m.design for n, m in bugs.items()}, ended=counting.ended):
                rows[name] = kills
    except (Ended, KeyboardInterrupt):
        return rows, True
    return rows, False


@app.command()
def replay(
    token: Annotated[str, typer.Argument(help="the token that a report prints under a run")],
    html: Html = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Replay a recorded run, step by step.

    Exit status: 0 the run breaks no law, 1 the run breaks a law, 2 bad input or a step that does not apply, 3 the run is empty.
    """
    _, said = spec_of(token)
    to_be_written([html], files_of(said.spec))
    spec, outline = api.meant(said)
    geometry, run = decode(outline, said)
    judged = api.by_clause(outline, said)
    told = list(run_again(judged, geometry, run))
    clause, changed = said.clause if judged is not outline else None, has_changed(outline, said)
    if changed:
        err.print(
            f"refmodel: warning: the code of {spec} has changed since the token was made; the steps still apply",
            soft_wrap=True,
            markup=False,
        )
    if html is not None:
        write_page(pages.Page("refmodel replay", stories=(stories.of_run(judged, geometry, run, spec, token),)), html)
    if as_json:
        print_document(replay_document(outline, spec, clause, changed, told))
    else:
        _show_run(outline, spec, clause, told)
    raise typer.Exit(UNDECIDED if not told else HOLDS if told[-1].broken is None else FAILS)


def _show_run(outline: Outline, spec: str, clause: str | None, told: Sequence[Told]) -> None:
    out.print(f"{spec}{f', judged by {clause}' if clause is not None else ''}", soft_wrap=True, markup=False)
    out.print(terminal.trace(outline, told))
    if not told:
        out.verdict(f"{spec}: undecided: the run has no step", style="yellow")
    elif told[-1].broken is not None:
        out.print(terminal.broken_clause(told[-1].broken))
        if loudness.verdicts_alone:
            out.verdict(f"{spec}: the run breaks {told[-1].broken.clause}", style="bold red")
    else:
        out.verdict(f"{spec}: the run breaks no law", style="green")


@app.command()
def explain(
    topic: Annotated[
        str,
        typer.Argument(
            help="a clause (ISO-2), a law, a bug, a design, a theorem, a mechanism, a strategy or an "
            f"estimator of a VM's memory need; or a table: "
            f"{', '.join(TOPICS[:-1])} or {TOPICS[-1]}; theorems lists the theorems"
        ),
    ],
    workload: Annotated[
        Path | None,
        typer.Argument(
            help="the input file of a topic: policy reads a workload in TOML, "
            "mechanisms a recording, exits an address stream; by default the "
            "shipped files"
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="for policy: compare only this strategy, and print how much memory each "
            f"VM had; one of {', '.join(POLICIES)}; may be repeated"
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="print everything that the chapters say about the topic, with full texts")
    ] = False,
    html: Html = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Explain a clause, a law, a bug, a design, a theorem, a mechanism, a strategy, an estimator of memory need, or a table.

    An explanation fits on one screen: what the topic is, what checks it, and which chapters say more. `refmodel explain theorems
    --all` lists the theorems by name. Four topics print tables:
    exits prints what each MMU costs; instructions prints how Popek and Goldberg's criteria classify x86 instructions; policy
    prints how strategies do on a workload; mechanisms prints what mechanisms regain, save and cost on a recording.

    Exit status: 0, or 2 for an unknown topic or other bad input.
    """
    if not topic.strip():
        raise BadDesign("explain: an empty topic; expected a clause, a law, a design or another topic of refmodel explain --help")
    if topic not in OF_MEMORY and (workload is not None or html is not None):
        what = "--html" if workload is None else f"the second argument, {workload},"
        raise BadDesign(f"{what} goes with explain exits, explain policy and explain mechanisms only; a topic is one argument")
    to_be_written([html], [workload])
    if topic != "policy" and policy:
        raise BadDesign("--policy goes with explain policy only")
    if topic in TOPICS and everything:
        raise BadDesign(f"--all does not go with explain {topic}")
    if topic == "policy":
        management.policies(workload, policy or [], html, as_json)
        return
    if topic == "mechanisms":
        management.mechanisms(workload, html, as_json)
        return
    if topic not in TOPICS:
        explanation = explaining.explain(topic)
        if as_json:
            print_document(explanation)
        elif everything:
            terminal.explained(out, explanation)
        else:
            terminal.explained_briefly(out, explanation, f"All of it: refmodel explain {shlex.quote(topic)} --all")
        return
    if topic == "exits":
        management.exits(workload, html, as_json)
        return
    if as_json:
        print_document(
            [InstructionDocument(**attrs.asdict(classify(x.does)), instruction=x.name, remedy=x.remedy) for x in X86_INSTRUCTIONS]
        )
        return
    out.print(efficiency.instruction_table())
    out.print(efficiency.instruction_verdict())
