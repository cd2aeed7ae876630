"""What the commands share: where they print, and what their exit status says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from refmodel.engines.checking import Report

HOLDS, FAILS, BAD_INPUT, UNDECIDED = 0, 1, 2, 3

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None,
                  help="The reference model of memory virtualization: check designs, judge implementations.")
Html = Annotated[Path | None, typer.Option("--html", help="write a page to this file too, on which one can see it")]
Jobs = Annotated[int | None, typer.Option("--jobs", help="processes that share the work", min=1)]
On = Annotated[str | None, typer.Option("--on", help="the address of a Dask scheduler whose workers share the work")]
out = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
err = Console(stderr=True, highlight=False)


def severity(status: int) -> int:
    return (HOLDS, UNDECIDED, FAILS, BAD_INPUT).index(status)


def status_of(reports: Sequence[Report]) -> int:
    if any(r.failed for r in reports):
        return FAILS
    return UNDECIDED if any(r.undecided for r in reports) else HOLDS
