"""``refmodel vectors``: conformance vectors."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from refmodel.cli.common import FAILS, HOLDS, UNDECIDED, app, out, print_document
from refmodel.cli.loudness import loudness
from refmodel.cli.progress import writing
from refmodel.language import BadDesign
from refmodel.language.plurals import many
from refmodel.oracle.riscv import results as of_riscv
from refmodel.oracle.riscv.signatures import MOST, judge_signature, write_elfs
from refmodel.oracle.riscv.vectors import ARCHITECTURES
from refmodel.oracle.writing_vectors import vectors as write_vectors


@app.command()
def vectors(
    folder: Annotated[
        Path,
        typer.Option(
            "--out", help="the folder that vectors are written to, or that --judge reads; the folder is created if needed"
        ),
    ],
    count: Annotated[
        int | None,
        typer.Option(
            help="how many vectors to write, of all kinds together; by default 120,000 walks and "
            "all runs of a monitor, 48,000 for riscv, or 30,000 for riscv32",
            min=1,
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="leave out vectors that need this feature, for walkers that lack it "
            "(specs/vectors.md has the names); may be repeated"
        ),
    ] = None,
    architecture: Annotated[
        str, typer.Option(help="the architecture: x86, which includes vectors for a monitor; riscv, with 64 bits; or riscv32")
    ] = "x86",
    elf: Annotated[
        int | None,
        typer.Option(
            help="for riscv: also write bare ELF files, each of which runs this many vectors and reports a signature",
            min=1,
            max=MOST,
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--judge",
            help="write no vectors; judge this file, in which a walker that ran "
            "the vectors reports one result per line, or, for riscv, a "
            "signature",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="with --judge: print one JSON document")] = False,
) -> None:
    """Write conformance vectors for page walks and for a monitor.

    The command always writes the same vectors. specs/vectors.md describes their format, and specs/riscv.md the format of the
    RISC-V vectors. With --count, the command ends as soon as that many vectors are written. specs/guide/rtl.md describes how an
    RTL simulator runs the ELF files, and how their signatures are judged.

    Exit status: 0, or 2 if the folder cannot be written or --without names an unknown feature.
    Exit status with --judge: 0 no deviation, 1 deviations, 2 bad input, 3 nothing was judged.
    """
    if results is not None:
        if count is not None or without or elf is not None:
            raise BadDesign("--judge uses vectors that are already written; --count, --without and --elf only apply to writing")
        raise typer.Exit(_judge(folder, results, architecture, as_json))
    if as_json:
        raise BadDesign("--json goes with --judge: what is written are files of JSON lines, with a manifest in JSON")
    if elf is not None and architecture not in ARCHITECTURES:
        raise BadDesign("--elf is for --architecture riscv and riscv32")
    began = time.perf_counter()
    with writing("vectors") as progress:
        written = write_vectors(folder, count, progress, architecture, without or ())
    for name, number in written.items():
        out.print(f"{number:>9,}  {folder / name}.jsonl", soft_wrap=True, markup=False)
    if elf is not None:
        made = write_elfs(folder, elf, ARCHITECTURES[architecture])
        out.print(f"{len(made):>9,}  {folder}/*.elf, of up to {elf:,} vectors each", soft_wrap=True, markup=False)
    out.verdict(f"{sum(written.values()):>9,}  vectors in {time.perf_counter() - began:.0f} s")


def _judge(folder: Path, results: Path, architecture: str, as_json: bool) -> int:
    """Judge what a consumer found: results, or a signature of RISC-V."""
    from refmodel.cli.judging_mmus import judged_document
    from refmodel.oracle.vectors.results import judge_results
    from refmodel.report import terminal

    riscv = architecture in ARCHITECTURES
    if architecture != "x86" and not riscv:
        raise BadDesign(f"{architecture}: no such architecture; x86, riscv or riscv32 was expected")
    if not results.is_file():
        what = "a file with a result a line" + (", or a signature" if riscv else "")
        raise BadDesign(f"{results}: no such file; expected {what}")
    if not riscv:
        verdicts = judge_results(folder, results)
    else:
        verdicts = of_riscv.judge_results(folder, results) if of_riscv.are_results(results) else [judge_signature(folder, results)]
    if as_json:
        print_document([judged_document(verdict) for verdict in verdicts])
    for verdict in () if as_json else verdicts:
        terminal.judged(out, verdict)
        if loudness.verdicts_alone:
            out.verdict(
                f"{verdict.implementation}, {verdict.subject}: {many(verdict.checks, 'check')}, "
                f"{many(len(verdict.deviations), 'class')} of deviation"
            )
    if any(verdict.deviations for verdict in verdicts):
        return FAILS
    whole = any(verdict.checks for verdict in verdicts) and not any(verdict.unexplained for verdict in verdicts)
    return HOLDS if whole else UNDECIDED
