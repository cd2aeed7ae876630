"""``refmodel --version``."""

from __future__ import annotations

from typing import Annotated

import typer

from refmodel.cli.common import app


def _print(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        print(f"refmodel {metadata.version('refmodel')}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[bool, typer.Option("--version", callback=_print, is_eager=True, help="print the version and end")] = False,
) -> None:
    """The reference model of memory virtualization: check designs, judge implementations."""
