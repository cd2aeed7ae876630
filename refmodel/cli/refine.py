"""``refmodel refine``: whether one design does what another does, or what the bare machine does."""

from __future__ import annotations

import contextlib
from typing import Annotated

import attrs
import typer
from rich.markup import escape
from rich.table import Table

from refmodel.bare_machines import bare_machine_of
from refmodel.cli import completion
from refmodel.cli.common import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Html,
    Jobs,
    Seed,
    app,
    files_of,
    out,
    print_document,
    to_be_written,
    write_page,
)
from refmodel.engines.abstracted import doubts
from refmodel.engines.corresponding import NEVER_DONE, given_anything, never_completed, never_done, shared
from refmodel.engines.induction import prove
from refmodel.engines.judgements import Simulated
from refmodel.engines.machine import Failure
from refmodel.engines.prover import does_nothing
from refmodel.engines.replaying import replay
from refmodel.engines.reports_of_runs import there_is
from refmodel.engines.runs_that_break import WITH_ONE_MORE, with_one_more
from refmodel.engines.simulation_runs import SimulatedRuns, apart_at_first, simulated_runs
from refmodel.engines.verdicts import NEVER
from refmodel.engines.words import change_text
from refmodel.language.design import Outline
from refmodel.language.plurals import many
from refmodel.language.sizes import Geometry
from refmodel.language.unsound import BadDesign, Unsound
from refmodel.loading import load
from refmodel.report import pages, squares, stories, terminal
from refmodel.report.documents import RefinementDocument, RefinementVerdict, UnexplainedDocument

BARE = "bare"
"""In the place of a design: the machine that the guests believe they run on."""


@app.command()
def refine(
    design: Annotated[
        str,
        typer.Argument(help="the design whose steps are compared, named as for refmodel check", autocompletion=completion.designs),
    ],
    to: Annotated[
        str,
        typer.Option(
            help="the other design, or bare for the bare machine that the guests believe to run on",
            autocompletion=completion.designs,
        ),
    ] = BARE,
    seconds: Annotated[float, typer.Option(help="how long random runs may take, in seconds", min=0.1)] = 5.0,
    seed: Seed = 0,
    html: Html = None,
    jobs: Jobs = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Show that each step of a design is a step of another design, or changes nothing that the other design has.

    In the two designs, tables with the same name have equal contents after each step, and the guest sees equal outcomes. If the
    other design is the bare machine, this is Popek and Goldberg's equivalence. Random runs search for a step that the other design
    does not have, and that changes a table of the other design. If random runs find no such step, proofs show that no such step
    exists, for any number of names. refmodel also proves the laws that these proofs use.

    Exit status: 0 proved, 1 a run has a step that the other design does not have, or breaks a law of the design, 2 bad input, 3
    undecided.
    """
    to_be_written([html], files_of(design, to))
    mine = load(design)
    other = _other(design, mine, to)
    shared(mine, other)
    if wrong := _at_power_on(mine, other):
        if as_json:
            apart = UnexplainedDocument(wrong, (), "")
            print_document(RefinementDocument(design, other.name, "no refinement", 0, 0, {}, (), apart, (), ()))
        else:
            out.verdict(f"{design}: {escape(wrong)}", style="bold red")
        if html is not None:
            write_page(pages.Page(f"{design} beside {other.name}", (wrong,)), html)
        raise typer.Exit(FAILS)
    runs = simulated_runs(mine, other, mine.cls.geometry, seconds=seconds, seed=seed)
    proofs, unproved = ([], []) if runs.failure else _proofs(mine, other, jobs)
    if unproved:
        runs = _with_one_more_name(mine, other, runs, min(WITH_ONE_MORE, seconds / 4), seed)
    if as_json:
        print_document(_document(design, mine, other, runs, proofs, unproved))
    else:
        _show(design, mine, other, runs, proofs, unproved)
    if html is not None:
        write_page(_page(design, mine, other, runs), html)
    proved = bool(proofs) and not unproved and not _unseen(other, runs, proofs)
    raise typer.Exit(FAILS if runs.failure else HOLDS if proved else UNDECIDED)


def _other(design: str, mine: Outline, to: str) -> Outline:
    if to != BARE:
        return load(to, may_lack_laws=True)  # the proof leans on no law of the design that is refined
    machine = bare_machine_of(mine)
    if machine is None:
        raise BadDesign(
            f"{design}: has no bare machine to compare with; derive the design from refmodel.bare.BareMemory, or name another "
            "design after --to"
        )
    return machine


def _with_one_more_name(mine: Outline, other: Outline, runs: SimulatedRuns, seconds: float, seed: int) -> SimulatedRuns:
    """Runs in a larger geometry with a step that the other design does not have; or those that were made, if none has one there.
    ``seconds``: how long they may take in each."""
    for geometry in (*mine.cls.further_geometries, *with_one_more(mine)):
        with contextlib.suppress(Unsound, BadDesign):
            more = simulated_runs(mine, other, geometry, seconds=seconds, seed=seed)
            if more.failure is not None:
                return more
    return runs


def _at_power_on(mine: Outline, other: Outline) -> str:
    """Where a table of the other design's does not begin as it begins there; empty if all do."""
    told = [change_text(other, change) for change in apart_at_first(mine, other, mine.cls.geometry)]
    if not told:
        return ""
    where, theirs, says = told[0]
    more = f" ({many(len(told) - 1, 'more entry')} too)" if len(told) > 1 else ""
    return f"at power-on {where} is {theirs} in {other.name}, and {says} for {mine.name}{more}"


def _unseen(other: Outline, runs: SimulatedRuns, proofs: list[Simulated]) -> str:
    """Why nothing was seen that a proof could be about; empty if there was something."""
    if not runs.steps:
        return f"no operation applied in the random runs, so no step was looked for in {other.name}"
    if not runs.explained.total():
        return f"no step of the random runs changes or shows anything that {other.name} has"
    return "" if any(each.explained for each in proofs) else f"no step changes or shows anything that {other.name} has"


def _proofs(mine: Outline, other: Outline, jobs: int | None) -> tuple[list[Simulated], list[str]]:
    """What became of each operation, and what is not proved of the steps or of the laws that they lean on."""
    done = prove(mine, all_failures=True, processes=jobs, audits=False, machine=other)
    proofs = [each.simulated for each in done.proofs if each.simulated is not None]
    unproved = [why for each in proofs for why in each.failing]
    unproved += [f"{each.operation}{NEVER}" for each in proofs if not each.paths]
    unproved += doubts(mine, other)
    unproved += [
        f"{name} always exits, and no operation completes the instruction" for name in never_completed(mine, other, proofs)
    ]
    theirs = {op.name for op in other.operations}
    left_out = [name for name in never_done(mine, other, proofs) if name not in theirs or not does_nothing(other, name)]
    unproved += [f"{name}: {NEVER_DONE}" for name in left_out]
    unproved += [
        f"{j.operation}, {j.law.name.replace('_', ' ') if j.law else 'soundness'}: {j.verdict}"
        for j in done.judgements()
        if j.verdict != "proved"
    ]
    return proofs, unproved


def _show(name: str, mine: Outline, other: Outline, runs: SimulatedRuns, proofs: list[Simulated], unproved: list[str]) -> None:
    out.print(
        f"{name} beside {other.name}: {many(runs.steps, 'step')} of random runs, of which "
        f"{runs.explained.total():,} change or "
        f"show something that both have; {runs.seconds:.1f} s",
        soft_wrap=True,
    )
    if runs.failure is not None:
        if runs.geometry != mine.cls.geometry:
            out.print(f"the run is in a larger geometry: {there_is(mine, runs.geometry)}", soft_wrap=True)
        told = list(replay(mine, runs.geometry, runs.failure.run))
        out.print(terminal.trace(mine, told))
        out.print(terminal.broken_clause(told[-1].broken or runs.failure.broken), soft_wrap=True)
        if told[-1].broken is None:
            out.print("\n".join(squares.of_failure(mine, other, runs.failure, runs.geometry).lines()), soft_wrap=True, markup=False)
        says = (
            f"a run has a step that is no step of {other.name}"
            if told[-1].broken is None
            else f"a run breaks a law of {mine.name}, so nothing is said of {other.name}"
        )
        out.verdict(f"{name}: {says}", style="bold red")
        return
    table = Table(
        "operation",
        f"may be a step of {other.name}",
        "paths",
        "paths that are such a step",
        "verdict",
        box=None,
        header_style="bold",
    )
    for each in proofs:
        table.add_row(
            each.operation,
            ", ".join(each.steps) or "none",
            str(each.paths),
            str(each.explained),
            "not proved" if each.failing else "proved",
        )
    out.print(table)
    if runs.untaken:
        out.print(f"no random run took a step of {', '.join(runs.untaken)}", style="yellow", soft_wrap=True)
    for any_will_do in given_anything(mine, other):
        out.print(escape(any_will_do), style="yellow", soft_wrap=True)
    for why in unproved:
        out.print(escape(why), style="yellow", soft_wrap=True)
    if unproved:
        out.verdict(f"{name}: undecided: not all is proved, and no run shows that it is wrong\n", style="yellow")
    elif why := _unseen(other, runs, proofs):
        out.verdict(f"{name}: undecided: {why}\n", style="yellow")
    else:
        out.verdict(
            f"{name}: proved for any number of names: each step is a step of {other.name}, or changes nothing of {other.name} and "
            "shows the guest nothing\n",
            style="green",
        )


def _page(name: str, mine: Outline, other: Outline, runs: SimulatedRuns) -> pages.Page:
    """The run with a step that is none of the other's, if there is one."""
    title = f"{name} beside {other.name}"
    if runs.failure is None:
        return pages.Page(title, (f"Random runs found no step of {name} that is none of {other.name}.",))
    story = stories.of_run(mine, runs.geometry, runs.failure.run, title, broken=runs.failure.broken)
    if story.steps[-1].verdict is None:
        last = stories.of_no_step(
            story.steps[-1], runs.failure.broken, squares.of_failure(mine, other, runs.failure, runs.geometry).in_a_story()
        )
        story = attrs.evolve(story, steps=(*story.steps[:-1], last))
    return pages.Page(title, stories=(story,))


def _document(
    name: str, mine: Outline, other: Outline, runs: SimulatedRuns, proofs: list[Simulated], unproved: list[str]
) -> RefinementDocument:
    open_ = (*unproved, *filter(None, [] if runs.failure else [_unseen(other, runs, proofs)]))
    failure = None if runs.failure is None else _unexplained(mine, runs.geometry, runs.failure)
    return RefinementDocument(
        name,
        other.name,
        _verdict(failure, bool(proofs) and not open_),
        runs.runs,
        runs.steps,
        dict(runs.explained),
        runs.untaken,
        failure,
        tuple(proofs),
        open_,
    )


def _verdict(failure: UnexplainedDocument | None, proved: bool) -> RefinementVerdict:
    if failure is None:
        return "refines" if proved else "undecided"
    return "breaks a law" if failure.clause else "no refinement"


def _unexplained(mine: Outline, geometry: Geometry, failure: Failure) -> UnexplainedDocument:
    """A run, and what it breaks: a law of the design itself is broken when the run is made again."""
    told = list(replay(mine, geometry, failure.run))
    broken = told[-1].broken
    steps = tuple(str(terminal.step_title(mine, number, each)) for number, each in enumerate(told, 1))
    return UnexplainedDocument((broken or failure.broken).sentence, steps, broken.clause if broken else "")
