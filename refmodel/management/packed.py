"""How a file of a recording is packed: msgpack, in one zstd frame with a checksum, so that a flipped bit is seen."""

from __future__ import annotations

import msgspec
import zstandard

from refmodel.language import BadDesign

PIECE = 1 << 12
"""Bytes that are expanded at once, to 128 MiB at most: what is too large is refused before it fills memory."""


def packed(stored: msgspec.Struct) -> bytes:
    """The bytes of a file."""
    return compressed(msgspec.msgpack.encode(stored))


def compressed(plain: bytes) -> bytes:
    """One frame. Readers of zstd compare what they expand with its checksum."""
    return zstandard.ZstdCompressor(level=19, write_checksum=True).compress(plain)


def expanded(data: bytes, where: str, kind: str, most: int) -> bytes:
    """What one zstd frame holds. Nothing may follow it. ``BadDesign`` names the place, and says that it is no such ``kind``."""
    expander = zstandard.ZstdDecompressor().decompressobj()
    plain, size = list[bytes](), 0
    try:
        for at in range(0, len(data), PIECE):
            plain.append(expander.decompress(data[at : at + PIECE]))
            size += len(plain[-1])
            if size > most:
                raise BadDesign(f"{where}: larger than {most:,} bytes when unpacked")
            if expander.eof:
                left = len(expander.unused_data) + max(0, len(data) - at - PIECE)
                if left:
                    raise BadDesign(f"{where}: expected one zstd frame and nothing after it, got {left:,} bytes more")
                return b"".join(plain)
    except zstandard.ZstdError as why:
        raise BadDesign(f"{where}: no {kind}: not compressed by zstd, damaged or cut off ({why})") from None
    raise BadDesign(f"{where}: no {kind}: not compressed by zstd, damaged or cut off")
