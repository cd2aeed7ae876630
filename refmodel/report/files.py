"""Files that commands write."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from refmodel.language import BadDesign


def put(text: str | bytes, file: Path) -> None:
    """Write a file, whole or not at all. ``BadDesign`` if it cannot be written.

    A link stays a link, and what it leads to is written. A device or a pipe is written to, and never replaced by a file.
    """
    try:
        if file.exists() and not (file.is_file() and os.access(file.resolve().parent, os.W_OK)):
            file.write_bytes(_bytes(text))
        else:
            _replace(_bytes(text), file.resolve())
    except (OSError, RuntimeError) as why:  # Python before 3.13 calls a circle of links a RuntimeError
        raise BadDesign(f"{file}: cannot be written: {getattr(why, 'strerror', None) or why}") from None


def _bytes(text: str | bytes) -> bytes:
    """Names of files may be no text, so they are written as well as they can be."""
    return text if isinstance(text, bytes) else text.replace("\n", os.linesep).encode("utf-8", errors="replace")


def _replace(data: bytes, file: Path) -> None:
    partial = file.with_name(file.name + ".partial")
    try:
        partial.write_bytes(data)
        partial.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
