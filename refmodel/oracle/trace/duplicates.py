"""Keys that are given twice in one object of JSON. A decoder takes the last of them, so what the trace says would not be judged.

Whole blocks are looked through at once. A block in which two keys of a line look alike is read again, line by line.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

QUOTE, COLON, NEWLINE = ord('"'), ord(":"), ord("\n")
KEY = re.compile(rb'"([^"]*)"\s*:')
BLANKS = (ord(" "), ord("\t"), ord("\r"))


class _Twice(Exception):
    """A key that is given twice."""


def may_have_duplicates(block: bytes) -> bool:
    """False only if no object of these lines has a key twice. Keys are told apart by their ends and their length."""
    if b"\\" in block:  # an escape may spell any key
        return True
    text = np.frombuffer(block + b"\n", np.uint8)
    quotes = np.flatnonzero(text == QUOTE)
    after = text[quotes + 1]
    if any((after == blank).any() for blank in BLANKS):  # a colon may come after it
        return True
    ends = np.flatnonzero(after == COLON)
    if len(ends) == 0 or ends[0] == 0:
        return len(ends) != 0
    first, last = quotes[ends - 1] + 1, quotes[ends]
    so_far = np.searchsorted(first, np.flatnonzero(text == NEWLINE))  # keys up to the end of each line
    line = np.repeat(np.arange(len(so_far), dtype=np.int32), np.diff(so_far, prepend=0))
    key = (last - first).astype(np.int32) << 16 | text[first].astype(np.int32) << 8 | text[last - 1]
    for apart in range(1, len(key)):
        same = line[apart:] == line[:-apart]
        if not same.any():
            return False
        if (same & (key[apart:] == key[:-apart])).any():
            return True
    return False


def duplicate_in(line: bytes) -> str | None:
    """The first key that an object of this line has twice; None if none has, or if the line is no JSON."""
    keys = KEY.findall(line)
    if len(set(keys)) == len(keys) and b"\\" not in line:
        return None
    try:
        json.loads(line, object_pairs_hook=_distinct)
    except _Twice as why:
        return str(why)
    except (ValueError, RecursionError):
        return None
    return None


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    seen = set[str]()
    for key, _ in pairs:
        if key in seen:
            raise _Twice(key)
        seen.add(key)
