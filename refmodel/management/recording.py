"""Recordings: which pages a real program touched and changed, sample by sample, and how alike its pages are.

A recording is one file: a msgpack map, compressed by zstd. ``Stored`` says what is in it, and ``schema`` gives it as
JSON Schema. Of contents only equality is kept: 32 bits of a hash under a key. Whoever has not the key cannot look a content
up. Recordings with the same key can be compared with each other.
"""

from __future__ import annotations

import functools
import itertools
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from refmodel.language import BadDesign
from refmodel.language.json_schemas import steady
from refmodel.language.unsound import UNDECODABLE
from refmodel.management.packed import expanded, packed

Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint32]

VERSION = 1
ENDING = ".memory.zst"
FLEET = "fleet"
"""The recording of several programs, of which the contents are used."""
LEAST_SAMPLES = 10
"""Of a recording that is looked at period by period: a working set is what was touched in as many. Of others contents are used."""
MOST_BYTES = 1 << 30
"""Of a recording that is unpacked: what is larger is refused."""
SHORTEST, LONGEST = 1e-6, 86_400
"""Seconds from one sample to the next."""
ABSENT, ZERO = 0, 1
"""Content numbers of a page that is not there, and of a page of zeroes. Others are hashes."""
NO_PATCH = 0xFFFF
"""In the place of a patch's size: no page like this one was found."""
PAGE = 4096
"""Bytes."""
MOST_GRANULE = 512
"""Pages."""
MOST_LOOKS = 1 << 28
"""Samples times pages: unpacked, touched and changed take as many bytes each. Zeroes of a GiB are a small file."""


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds. Tables are bytes: rows of samples, columns of pages, little-endian."""

    format: Literal["refmodel memory recording"]
    version: int
    command: str
    made: str
    """How and where it was recorded, in words."""
    interval: float
    """Seconds from one sample to the next."""
    granule: int
    """Pages that are looked at together: 1, or more for a large program."""
    key: str
    """Names the key of the content numbers."""
    samples: int
    pages: int
    owners: bytes
    """uint16 by page: the process it belonged to last, from 1; 0 for a page of a file, and one that was given up."""
    touched: bytes
    """Bits, packed by row; each row is the exclusive or with the row before."""
    changed: bytes
    """Likewise: the page was found to hold something else than in the sample before."""
    snapshots: list[int]
    """The samples after which contents were numbered."""
    contents: bytes
    """uint32 by snapshot and page; each row is the exclusive or with the row before."""
    compressed: bytes
    """uint16 by page, in bytes, at the last snapshot; 0 for a page that was not there."""
    patches: bytes
    """uint16 by page, in bytes: a patch against the most similar page that has no patch itself; 65535 if none was found."""


@attrs.frozen(eq=False, slots=False)
class Recording:
    """A recording with its tables as arrays."""

    command: str
    made: str
    interval: float
    granule: int
    key: str
    owners: npt.NDArray[np.uint16]
    touched: Flags
    changed: Flags
    snapshots: tuple[int, ...]
    contents: Words
    compressed: npt.NDArray[np.uint16]
    patches: npt.NDArray[np.uint16]

    @property
    def samples(self) -> int:
        return int(self.touched.shape[0])

    @property
    def pages(self) -> int:
        return int(self.touched.shape[1])

    @functools.cached_property
    def stored(self) -> Flags:
        """Where pages were changed by a store. A page of a file holds something new when it is first seen, and no store made it so.

        Of a page that is a file's in the end, that is taken to be the last change. Before it the number may have been another's.
        """
        found = self.changed.copy()
        of_files = np.flatnonzero((self.owners == 0) & (self.contents[-1] != ABSENT) & self.changed.any(axis=0))
        found[self.samples - 1 - np.argmax(self.changed[::-1, of_files], axis=0), of_files] = False
        return found


def schema() -> dict[str, Any]:
    """The JSON Schema of a file's map; bytes are base64 there, as JSON has none."""
    made: dict[str, Any] = steady(msgspec.json.schema(Stored))
    return made


# ---------------------------------------------------------------- writing


def pack(recording: Recording) -> bytes:
    """The bytes of a file."""
    stored = Stored(
        "refmodel memory recording",
        VERSION,
        recording.command,
        recording.made,
        recording.interval,
        recording.granule,
        recording.key,
        recording.samples,
        recording.pages,
        recording.owners.astype("<u2").tobytes(),
        _bits(recording.touched),
        _bits(recording.changed),
        list(recording.snapshots),
        _differences(recording.contents.astype("<u4")).tobytes(),
        recording.compressed.astype("<u2").tobytes(),
        recording.patches.astype("<u2").tobytes(),
    )
    return packed(stored)


def _bits(flags: Flags) -> bytes:
    return _differences(np.packbits(flags, axis=1)).tobytes()


def _differences(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each row and the one before, by exclusive or: what stays the same is zeroes, which compress well."""
    found = rows.copy()
    found[1:] ^= rows[:-1]
    return found


# ---------------------------------------------------------------- reading


def unpack(data: bytes, where: str) -> Recording:
    """A recording from a file's bytes. ``BadDesign`` names the place and the field that is wrong."""
    plain = expanded(data, where, "recording", MOST_BYTES)
    try:
        stored = msgspec.msgpack.decode(plain, type=Stored)
    except UNDECODABLE as why:
        raise BadDesign(f"{where}: no recording: {why}") from None
    if stored.version != VERSION:
        raise BadDesign(f"{where}: version: expected {VERSION}, got {stored.version}")
    if stored.samples < 1 or stored.pages < 1:
        raise BadDesign(f"{where}: samples and pages: expected more than 0, got {stored.samples:,} and {stored.pages:,}")
    if stored.samples * stored.pages > MOST_LOOKS:
        raise BadDesign(
            f"{where}: samples and pages: expected at most {MOST_LOOKS:,} when multiplied, got {stored.samples:,} and "
            f"{stored.pages:,}"
        )
    if not 1 <= stored.granule <= MOST_GRANULE:
        raise BadDesign(f"{where}: granule: expected from 1 to {MOST_GRANULE} pages, got {stored.granule:,}")
    if not SHORTEST <= stored.interval <= LONGEST:  # nor what is no number
        raise BadDesign(f"{where}: interval: expected from {SHORTEST} to {LONGEST:,} seconds, got {stored.interval}")
    if not stored.snapshots or not all(0 <= at < stored.samples for at in stored.snapshots):
        raise BadDesign(f"{where}: snapshots: expected numbers of samples, at least one")
    falling = next(((one, other) for one, other in itertools.pairwise(stored.snapshots) if one >= other), None)
    if falling is not None:
        raise BadDesign(f"{where}: snapshots: expected each later than the one before, got {falling[1]} after {falling[0]}")
    return _sound(_with_arrays(stored, where), where)


def _sound(found: Recording, where: str) -> Recording:
    """A recording that can be compared."""
    if not found.touched.any():
        raise BadDesign(f"{where}: touched: expected a page that is touched in some sample")
    for field, sizes, least, none in (("compressed", found.compressed, 0, None), ("patches", found.patches, 1, NO_PATCH)):
        wrong = np.flatnonzero(((sizes < least) | (sizes > PAGE)) & (sizes != none))
        if len(wrong):
            also = f", or {none} where there is none" if none is not None else ""
            raise BadDesign(
                f"{where}: {field}: page {wrong[0]}: expected from {least} to {PAGE:,} bytes{also}; got {int(sizes[wrong[0]]):,}"
            )
    alone = np.argwhere(found.changed & ~found.touched)
    if len(alone):
        raise BadDesign(f"{where}: changed: sample {alone[0, 0]}, page {alone[0, 1]}: expected only pages that are touched in it")
    return found


def _with_arrays(stored: Stored, where: str) -> Recording:
    pages, samples = stored.pages, stored.samples
    return Recording(
        stored.command,
        stored.made,
        stored.interval,
        stored.granule,
        stored.key,
        _table(where, "owners", stored.owners, "<u2", (pages,)),
        _flags(where, "touched", stored.touched, samples, pages),
        _flags(where, "changed", stored.changed, samples, pages),
        tuple(stored.snapshots),
        np.bitwise_xor.accumulate(_table(where, "contents", stored.contents, "<u4", (len(stored.snapshots), pages)), axis=0),
        _table(where, "compressed", stored.compressed, "<u2", (pages,)),
        _table(where, "patches", stored.patches, "<u2", (pages,)),
    )


def _table(where: str, field: str, data: bytes, kind: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    expected = int(np.prod(shape)) * np.dtype(kind).itemsize
    if len(data) != expected:
        raise BadDesign(f"{where}: {field}: expected {expected:,} bytes, got {len(data):,}")
    return np.frombuffer(data, dtype=kind).reshape(shape)


def _flags(where: str, field: str, data: bytes, samples: int, pages: int) -> Flags:
    packed = _table(where, field, data, "u1", (samples, (pages + 7) // 8))
    return np.unpackbits(np.bitwise_xor.accumulate(packed, axis=0), axis=1, count=pages).astype(np.bool_)


def read(file: Path) -> Recording:
    """A recording from a file. ``BadDesign`` if it cannot be read or is none."""
    try:
        data = file.read_bytes()
    except OSError as why:
        raise BadDesign(f"{file}: cannot be read: {why.strerror or why}") from None
    return unpack(data, str(file))


def shipped() -> dict[str, Any]:
    """The recordings that come along, by name."""
    folder = resources.files("refmodel.management").joinpath("recordings")
    return {
        each.name.removesuffix(ENDING): each
        for each in sorted(folder.iterdir(), key=lambda f: f.name)
        if each.name.endswith(ENDING)
    }
