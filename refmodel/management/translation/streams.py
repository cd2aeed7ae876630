"""Address streams: which page each data access of a program goes to, one after the other.

A stream is one file, like a recording: a msgpack map, compressed by zstd. Accesses to one of the ``NEAR`` pages used last are left
out, since a TLB has those; how many accesses there were in all is kept. For much larger caches that is nearly exact: what is lost
is in which order those few pages were used last.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

import attrs
import msgspec
import numpy as np

from refmodel.language import BadDesign
from refmodel.language.unsound import UNDECODABLE
from refmodel.management.estimating.stack_distance import Numbers
from refmodel.management.packed import expanded, packed

VERSION = 1
NEAR = 16
"""Pages whose accesses are left out: those used last."""
ENDING = ".addresses.zst"
MOST_BYTES = 1 << 28


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds."""

    format: Literal["refmodel address stream"]
    version: int
    command: str
    made: str
    instructions: int
    accesses: int
    """Data accesses, those that are left out too."""
    faults: int
    """Minor page faults of the whole command, run by itself: each edits a table."""
    switches: int
    """Its context switches."""
    whole: int
    """Instructions of the whole command."""
    pages: bytes
    """int64 each: the differences of page numbers."""


@attrs.frozen(eq=False)
class Stream:
    """A stream, with its pages as an array."""

    command: str
    made: str
    instructions: int
    accesses: int
    edits: float
    """Table edits in a million instructions."""
    switches: float
    """Context switches in a million instructions."""
    pages: Numbers


def pack(stored: Stored) -> bytes:
    return packed(stored)


def packed_pages(pages: Numbers) -> bytes:
    """The differences, byte by byte over all of them, so that zeroes lie together."""
    return np.diff(pages, prepend=0).astype("<i8").view("u1").reshape(-1, 8).T.tobytes()


def unpack(data: bytes, where: str) -> Stream:
    """A stream from a file's bytes. ``BadDesign`` names the field that is wrong."""
    plain = expanded(data, where, "address stream", MOST_BYTES)
    try:
        stored = msgspec.msgpack.decode(plain, type=Stored)
    except UNDECODABLE as why:
        raise BadDesign(f"{where}: no address stream: {why}") from None
    if stored.version != VERSION:
        raise BadDesign(f"{where}: version: expected {VERSION}, got {stored.version}")
    if len(stored.pages) % 8 or not stored.pages:
        raise BadDesign(f"{where}: pages: expected a multiple of 8 bytes, more than none, got {len(stored.pages)}")
    if min(stored.instructions, stored.accesses, stored.whole) < 1 or min(stored.faults, stored.switches) < 0:
        raise BadDesign(f"{where}: instructions, accesses and whole: expected more than 0")
    each = np.frombuffer(stored.pages, "u1").reshape(8, -1).T.copy().view("<i8").ravel()
    return Stream(
        stored.command,
        stored.made,
        stored.instructions,
        stored.accesses,
        1e6 * stored.faults / stored.whole,
        1e6 * stored.switches / stored.whole,
        np.cumsum(each).astype(np.int64),
    )


def read(file: Path) -> Stream:
    """A stream from a file."""
    try:
        return unpack(file.read_bytes(), str(file))
    except OSError as why:
        raise BadDesign(f"{file}: cannot be read: {why.strerror or why}") from None


def shipped() -> dict[str, Stream]:
    """The streams that come along, by name."""
    folder = resources.files("refmodel.management").joinpath("recordings")
    return {
        each.name.removesuffix(ENDING): unpack(each.read_bytes(), each.name)
        for each in sorted(folder.iterdir(), key=lambda f: f.name)
        if each.name.endswith(ENDING)
    }
