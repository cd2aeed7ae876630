"""``refmodel vectors``: conformance vectors."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from refmodel import api
from refmodel.cli.common import FAILS, HOLDS, app, out
from refmodel.cli.progress import writing
from refmodel.language import BadDesign


@app.command()
def vectors(
    folder: Annotated[Path, typer.Option("--out", help="where to write them, or where they are for --judge; made if need be")],
    count: Annotated[int | None, typer.Option(help="how many vectors, of all kinds together (120,000 walks and all runs of a "
                                                   "monitor; 48,000 for riscv)", min=1)] = None,
    without: Annotated[list[str] | None, typer.Option(help="leave out vectors that need this feature, for a walker that lacks it "
                                                           "(specs/vectors.md has the names); may be repeated")] = None,
    architecture: Annotated[str, typer.Option(help="x86, with a monitor's; or riscv")] = "x86",
    results: Annotated[Path | None, typer.Option("--judge", help="write nothing, and judge what a consumer of these vectors found: "
                                                                 "a file with a result a line")] = None,
) -> None:
    """Write conformance vectors for page walks and for a monitor. They are always the same. specs/vectors.md has their format, and
    specs/riscv.md that of RISC-V's. --count ends the command as soon as so many vectors are written.

    Exit status: 0, or 2 if the folder cannot be written or there is no such feature.
    With --judge: 0 no deviation, 1 deviations, 2 bad input.
    """
    if results is not None:
        from refmodel.oracle.vectors.results import judge_results
        from refmodel.report import terminal

        if count is not None or without or architecture != "x86":
            raise BadDesign("--judge is for x86's vectors as they are; --count, --without and --architecture are for writing")
        if not results.is_file():
            raise BadDesign(f"{results}: no such file; expected a file with a result a line")
        verdicts = judge_results(folder, results)
        for verdict in verdicts:
            terminal.judged(out, verdict)
        raise typer.Exit(FAILS if any(verdict.deviations for verdict in verdicts) else HOLDS)
    began = time.perf_counter()
    with writing("vectors") as progress:
        written = api.vectors(folder, count, progress, architecture, without or ())
    for name, number in written.items():
        out.print(f"{number:>9,}  {folder / name}.jsonl", soft_wrap=True, markup=False)
    out.print(f"{sum(written.values()):>9,}  vectors in {time.perf_counter() - began:.0f} s")
