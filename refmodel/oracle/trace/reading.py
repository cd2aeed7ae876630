"""Traces as streams: files, standard input, compressed or not, block by block, in constant memory.

What is cut off at the end of a file is not the implementation's fault, and is said, not judged. What is no trace at all is
bad input, and is said with its line.
"""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from refmodel.language import BadDesign

BLOCK = 1 << 16
"""Bytes read at a time."""
LITTLE = 1 << 9
"""Bytes of compressed data that are read at a time: they may become 32,768 times as many."""
SOME = 1 << 12
"""The same of gzip, where they may become 1,032 times as many."""
GZIP = 16 + zlib.MAX_WBITS
"""How zlib is told that there is a gzip header."""
LONGEST = 1 << 20
"""Bytes of a line; a longer one is refused."""
SKIPPABLE = tuple(bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16))
"""What a frame begins with that zstd skips (RFC 8878, 3.1.2): pzstd and seekable formats write them."""
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", **dict.fromkeys(SKIPPABLE, "zstd")}
OTHERS = {b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\x04\x22\x4d\x18": "lz4"}
"""What files begin with that are compressed in a way that is not read."""


class Source:
    """The bytes of one trace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cut: str | None = None
        """Said at the end: why the last bytes could not be had."""

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines, about a block at a time, each with the number of its first line. Raises ``BadDesign``."""
        line, rest = 1, b""
        for data in self._data():
            whole, newline, after = data.rpartition(b"\n")
            if not newline:
                rest += data
            else:
                block = rest + whole + newline
                if len(rest) + whole.find(b"\n") > LONGEST:
                    raise self.too_long(line)
                yield line, block
                line += block.count(b"\n")
                rest = after
            if len(rest) > LONGEST:
                raise self.too_long(line)
        if rest:
            yield line, rest

    def too_long(self, line: int) -> BadDesign:
        return BadDesign(f"{self.name}:{line}: longer than {LONGEST:,} bytes; expected one event, a JSON object, a line")

    def _data(self) -> Iterator[bytes]:
        try:
            with self._opened() as stream:
                begins = stream.peek(8)
                if other := next((other for magic, other in OTHERS.items() if begins.startswith(magic)), None):
                    raise BadDesign(f"{self.name}: is compressed by {other}; expected gzip, zstd or plain text")
                kind = next((kind for magic, kind in MAGIC.items() if begins.startswith(magic)), "")
                yield from _READERS.get(kind, _plain)(stream)
        except EOFError as why:
            self.cut = f"the compressed data end early ({why})"
        except (zstandard.ZstdError, zlib.error) as why:
            raise BadDesign(f"{self.name}: the compressed data are damaged: {why}; expected gzip, zstd or plain text") from None
        except OSError as why:
            raise BadDesign(f"{self.name}: cannot be read: {why.strerror or why}") from None

    def _opened(self) -> io.BufferedReader:
        raw = sys.stdin.buffer if self.name == "-" else Path(self.name).open("rb")  # noqa: SIM115
        return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", raw))


def _plain(stream: BinaryIO) -> Iterator[bytes]:
    while data := stream.read(BLOCK):
        yield data


def _gzip(stream: BinaryIO) -> Iterator[bytes]:
    """Member after member. (A ``GzipFile`` keeps back what it has read when the end is cut off.) Zeroes may follow a member."""
    decompressor = zlib.decompressobj(GZIP)
    while rest := stream.read(SOME):
        while rest:
            if decompressor.eof and not (rest := rest.lstrip(b"\0")):
                break
            if decompressor.eof:
                decompressor = zlib.decompressobj(GZIP)
            data = decompressor.decompress(rest)
            yield from (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))
            rest = decompressor.unused_data
    if not decompressor.eof:
        raise EOFError("the last member is not whole")


def _zstd(stream: BinaryIO) -> Iterator[bytes]:
    """Frame after frame. (A ``stream_reader`` would take the end of the data for that of the trace.)"""
    whole = True
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    while rest := stream.read(LITTLE):
        while rest:
            if decompressor.eof:
                decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
            data = decompressor.decompress(rest)
            yield from (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))
            whole, rest = decompressor.eof, decompressor.unused_data
    if not whole:
        raise EOFError("the last frame is not whole")


_READERS = {"gzip": _gzip, "zstd": _zstd}
