"""``refmodel record``: workloads from real programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refmodel.cli.common import app, err, to_be_written
from refmodel.language import BadDesign
from refmodel.language.plurals import many
from refmodel.management.recorder.recording import record as made_of
from refmodel.management.recording import ENDING, LEAST_SAMPLES, MOST_GRANULE, pack
from refmodel.management.translation import streams
from refmodel.management.translation.recorder import record as addresses_of
from refmodel.management.translation.streams import ENDING as ADDRESSES
from refmodel.report.files import put


@app.command()
def record(
    what: Annotated[str, typer.Argument(help="what to record: memory, or addresses")],
    command: Annotated[list[str], typer.Argument(help="after --, the command and its arguments")],
    output: Annotated[Path, typer.Option("--output", "-o", help=f"the file to write, NAME{ENDING}; for addresses NAME{ADDRESSES}")],
    interval: Annotated[float, typer.Option(help="seconds between two samples", min=0.01, max=60)] = 0.2,
    seconds: Annotated[float, typer.Option(help="end the command after this many seconds", min=0.1, max=86400)] = 60,
    key: Annotated[str, typer.Option(help="the key for numbering contents; recordings with the same key can be compared")] = "",
    granule: Annotated[int, typer.Option(help="how many pages are sampled together, for programs of more than 50,000 pages",
                                         min=1, max=MOST_GRANULE)] = 1,
    most: Annotated[int, typer.Option(help="for addresses: end after this many accesses to pages not used just before", min=2,
                                      max=10_000_000)] = 400_000,
    skip: Annotated[int, typer.Option(help="for addresses: at first leave out this many accesses to pages not used just "
                                           "before", min=0)] = 0,
) -> None:
    """Record which pages a command touches and changes, for explain policy and explain mechanisms.

    The command and what it starts are sampled until it ends. Processes that live for less than an interval may be missed. Of
    contents only equality is kept. What the kernel says is first tested on a process whose use of memory is known.
    With addresses instead of memory: the page of each data access, in order, by Valgrind; for explain exits.

    Exit status: 0 it is written, 2 bad input, or this machine does not let it be recorded.
    """
    endings = {"memory": ENDING, "addresses": ADDRESSES}
    if what not in endings:
        raise BadDesign(f"record {what}: expected {' or '.join(endings)}")
    if not output.name.endswith(endings[what]):
        raise BadDesign(f"{output}: expected a name that ends with {endings[what]}")
    to_be_written([output])
    if what == "addresses":
        stream = streams.pack(addresses_of(command, most, skip))
        put(stream, output)
        err.print(f"{output}: {len(stream):,} bytes", soft_wrap=True, markup=False)
        return
    made = made_of(command, interval, seconds, key, granule)
    data = pack(made)
    put(data, output)
    err.print(f"{output}: {many(made.samples, 'sample')} of {many(made.pages, 'page')}, {len(data):,} "
              f"bytes", soft_wrap=True, markup=False)
    if made.samples < LEAST_SAMPLES:
        err.print(f"{output}: can be no VM's program, which takes {LEAST_SAMPLES} samples or more; only its contents can be used. "
                  "A shorter --interval, or a command that runs longer, gives more samples.", soft_wrap=True, markup=False)
