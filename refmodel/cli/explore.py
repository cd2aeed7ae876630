"""``refmodel explore``: take a design step by step, or a trace event by event."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmodel import api
from refmodel.cli import completion
from refmodel.cli.common import app, err, files_of, needs_a_terminal, needs_textual, out, print_document, said_where, to_be_written
from refmodel.cli.progress import writing
from refmodel.engines.stepping import Stepping
from refmodel.engines.tokens import PREFIX, decode, encode, has_changed, spec_of
from refmodel.language.plurals import many
from refmodel.language.unsound import BadDesign
from refmodel.loading import sizes_of
from refmodel.report import exploring


@app.command()
def explore(
    design: Annotated[
        str,
        typer.Argument(
            help="a design, named as for refmodel check; or the token of a run to start from; or a "
            "trace, named as for refmodel judge",
            autocompletion=completion.designs,
        ),
    ],
    geometry: Annotated[str | None, typer.Option(help="how many VMs, frames and so on there are: Vm=2,Mfn=4")] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE.html", help="write an HTML page of the steps to this file, instead of opening the explorer"
        ),
    ] = None,
    states: Annotated[
        int | None,
        typer.Option(help=f"how many states of the design the HTML page shows; by default {exploring.STATES}", min=1, max=5000),
    ] = None,
    line: Annotated[
        int | None,
        typer.Option(
            help="for a trace: the line to start at; by default the line that deviates; without a "
            "deviation: the first line at a terminal, and the last line otherwise",
            min=1,
        ),
    ] = None,
    about: Annotated[
        str | None, typer.Option(help="for a trace: show only events about these pages and frames, such as 'vm 0, gfn 5; mfn 7'")
    ] = None,
    evaluate: Annotated[
        list[str] | None,
        typer.Option(
            help="for a trace: print the value of this expression, such as 'p2m[0, "
            "5].mfn == 7', after the event of --line; may be repeated"
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="print one JSON document: the state and the possible next steps; for a "
            "trace: the event of --line, and the state that is known after the event",
        ),
    ] = False,
) -> None:
    """Step through a design, from power-on or from the end of a run, or through a trace event by event.

    The explorer lists each step that applies, what the step would change, and the law that it would break. The explorer also shows
    the state, for how many parameter values each law's premise holds, and after how few steps a law can break. For a trace, the
    explorer shows what is known after each event. The explorer needs a terminal; the explorer and
    --evaluate need the extra explorer (pip install 'refmodel[explorer]').
    The page that --html writes needs only a browser.

    Exit status: 0, or 2 for bad input.
    """
    if is_trace(design):
        if geometry is not None or states is not None:
            raise BadDesign(f"--geometry and --states are for designs, and {design} is a trace")
        to_be_written([html], [design])
        from refmodel.cli.exploring_traces import explore_trace

        explore_trace(design, line, about, evaluate or [], html, as_json)
        return
    if line is not None or about is not None or evaluate:
        raise BadDesign(f"--line, --about and --evaluate are for traces, and there is no trace {design}")
    to_be_written([html], files_of(design))
    stepping, spec = _begin(design, geometry)
    if html is not None:
        most = states or exploring.STATES
        with writing("states") as progress:
            found = exploring.graph(stepping, spec, most, lambda done: progress(min(done, most), most))
        exploring.page(f"Explore {spec}", stepping.design, found, html)
        said_where(html)
        if not as_json:
            out.print(f"{html}: {many(len(found.states), 'state')} of {spec}", soft_wrap=True, markup=False)
    if as_json:
        from refmodel.report.explored_documents import explored_document

        print_document(explored_document(stepping, spec))
    if html is not None or as_json:
        return
    needs_a_terminal()
    try:
        from refmodel.cli.explorer import Explorer
    except ImportError as why:
        raise needs_textual(why) from None
    explorer = Explorer(stepping, spec)
    explorer.run()
    last = encode(spec, stepping.design, stepping.geometry, stepping.run) if stepping.told else None
    for token in dict.fromkeys([*explorer.tokens, *([last] if last else [])]):
        out.print(f"refmodel explore {token}", soft_wrap=True, markup=False)


def is_trace(name: str) -> bool:
    """Whether this is a file that holds a trace, and not the text of a design."""
    return not name.startswith(PREFIX) and Path(name).is_file() and Path(name).suffix != ".py"


def _begin(design: str, geometry: str | None) -> tuple[Stepping, str]:
    """The run to begin with, and the design's name."""
    if not design.startswith(PREFIX):
        outline, spec = api.named(design, sizes_of(geometry) if geometry is not None else None)
        return Stepping(outline, outline.cls.geometry), spec or outline.name
    if geometry is not None:
        raise BadDesign("--geometry goes with a design; a token has its own geometry")
    _, said = spec_of(design)
    spec, outline = api.meant(said)
    if has_changed(outline, said):
        err.print(
            f"refmodel: warning: the code of {spec} has changed since the token was made; the steps still apply",
            soft_wrap=True,
            markup=False,
        )
    own, run = decode(outline, said)
    return Stepping(outline, own, run), spec
