"""What is wrong with bytes that are to be text in UTF-8."""

from __future__ import annotations

import codecs

MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_marked(data: bytes) -> bool:
    """Whether it begins with a byte order mark, which some editors write."""
    return data.startswith(MARKS)


def undecodable(data: bytes, why: object) -> str:
    """Why bytes cannot be read: their byte order mark, if they begin with one, and otherwise what the reader said."""
    return "begins with a byte order mark; expected UTF-8 without one" if is_marked(data) else str(why)
