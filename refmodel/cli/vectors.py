"""``refmodel vectors``: conformance vectors."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from refmodel import api
from refmodel.cli.common import app, err, out


@app.command()
def vectors(
    folder: Annotated[Path, typer.Option("--out", help="where to write them; it is made if need be")],
    count: Annotated[int | None, typer.Option(help="how many walks, of all kinds together (120,000; 48,000 for riscv)",
                                              min=1)] = None,
    architecture: Annotated[str, typer.Option(help="x86, with a monitor's; or riscv")] = "x86",
) -> None:
    """Write conformance vectors for page walks and for a monitor. They are always the same. specs/vectors.md has their format, and
    specs/riscv.md that of RISC-V's.

    Exit status: 0, or 2 if the folder cannot be written.
    """
    began = time.perf_counter()
    with err.status("") as status:
        written = api.vectors(folder, count, status.update, architecture)
    for name, number in written.items():
        out.print(f"{number:>9,}  {folder / name}.jsonl", soft_wrap=True, markup=False)
    out.print(f"{sum(written.values()):>9,}  vectors in {time.perf_counter() - began:.0f} s")
