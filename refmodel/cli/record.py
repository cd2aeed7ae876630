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
    command: Annotated[list[str], typer.Argument(help="the command to record, and its arguments, after --")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help=f"the file to write: NAME{ENDING}, or for addresses NAME{ADDRESSES}")
    ],
    interval: Annotated[float, typer.Option(help="the seconds between two samples", min=0.01, max=60)] = 0.2,
    seconds: Annotated[float, typer.Option(help="end the command after this many seconds", min=0.1, max=86400)] = 60,
    key: Annotated[
        str,
        typer.Option(
            help="the key under which page contents are hashed; only recordings with the same key can be compared by content"
        ),
    ] = "",
    granule: Annotated[
        int, typer.Option(help="sample this many pages together, for programs of more than 50,000 pages", min=1, max=MOST_GRANULE)
    ] = 1,
    most: Annotated[
        int,
        typer.Option(
            help="for addresses: stop after this many recorded accesses; "
            "accesses to the 16 most recently used pages are not recorded",
            min=2,
            max=10_000_000,
        ),
    ] = 400_000,
    skip: Annotated[
        int,
        typer.Option(
            help="for addresses: leave out this many accesses at the beginning; "
            "accesses to the 16 most recently used pages are not counted",
            min=0,
        ),
    ] = 0,
) -> None:
    """Record which pages a command touches and changes, as input for refmodel explain policy and refmodel explain mechanisms.

    The command and its child processes are sampled until the command ends. Processes that live for less than one interval may be
    missed. A recording keeps which pages have equal contents, and not the contents. Before the recording starts, the kernel's
    reports are tested on a process whose memory use is known.
    refmodel record addresses records the page of each data access, in order, with Valgrind, as input for refmodel explain exits.

    Exit status: 0 the recording is written, 2 bad input, or this machine does not allow the recording.
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
    err.print(
        f"{output}: {many(made.samples, 'sample')} of {many(made.pages, 'page')}, {len(data):,} bytes", soft_wrap=True, markup=False
    )
    if made.samples < LEAST_SAMPLES:
        err.print(
            f"{output}: can be no VM's program, which takes {LEAST_SAMPLES} samples or more; only its contents can be used. "
            "A shorter --interval, or a command that runs longer, gives more samples.",
            soft_wrap=True,
            markup=False,
        )
