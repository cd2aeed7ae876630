"""``refmodel explore``: take a design step by step."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from refmodel import api
from refmodel.cli import completion
from refmodel.cli.common import app, err, files_of, out, to_be_written
from refmodel.engines.stepping import Stepping
from refmodel.engines.tokens import PREFIX, decode, encode, has_changed, spec_of
from refmodel.language.unsound import BadDesign
from refmodel.loading import sizes_of
from refmodel.report import exploring


@app.command()
def explore(
    design: Annotated[str, typer.Argument(help="a design, as check takes it, or the token of a run to begin with",
                                          autocompletion=completion.designs)],
    geometry: Annotated[str | None, typer.Option(help="other numbers of names than the design's own, such as Vm=2,Mfn=4")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="write a page to step through to this file instead")] = None,
    states: Annotated[int, typer.Option(help="states on the page", min=1, max=5000)] = exploring.STATES,
) -> None:
    """Take a design step by step, from power-on or from the end of a run.

    The explorer lists each step that applies, what it would change, and the law that it would break. It shows the state, for how
    many names each law claims something, and how soon a law can break. It needs a terminal, and Textual
    (pip install 'refmodel[explorer]'); the page needs a browser.

    Exit status: 0, or 2 for bad input.
    """
    to_be_written([html], files_of(design))
    stepping, spec = _begin(design, geometry)
    if html is not None:
        found = exploring.graph(stepping, spec, states)
        exploring.page(f"Explore {spec}", stepping.design, found, html)
        out.print(f"{html}: {len(found.states)} states of {spec}", soft_wrap=True, markup=False)
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadDesign("explore needs a terminal; expected one, or --html FILE for a page")
    try:
        from refmodel.cli.explorer import Explorer
    except ImportError as why:
        raise BadDesign(f"explore needs Textual ({why.name} is not installed): pip install 'refmodel[explorer]'; or --html FILE "
                        f"for a page") from None
    explorer = Explorer(stepping, spec)
    explorer.run()
    last = encode(spec, stepping.design, stepping.geometry, stepping.run) if stepping.told else None
    for token in dict.fromkeys([*explorer.tokens, *([last] if last else [])]):
        out.print(f"refmodel explore {token}", soft_wrap=True, markup=False)


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
        err.print(f"refmodel: warning: the text of {spec} has changed since the token was made; the steps still apply",
                  soft_wrap=True, markup=False)
    own, run = decode(outline, said)
    return Stepping(outline, own, run), spec
