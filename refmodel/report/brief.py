"""An explanation in about one screen: what it is, lists that are cut where they are long, and where more is said."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from refmodel.report.texts import Explanation

WIDTH = 100
"""Columns at most."""
SCREEN = 50
"""Lines at most."""
MOST = range(8, 0, -1)
"""How many sentences of a list are shown: the most with which everything fits."""
SHORT = 12
"""A text of no more lines is shown."""


def brief(told: Explanation, width: int, again: str) -> list[str]:
    """The lines. ``again`` is the command that prints what was left out."""
    width = min(width, WIDTH)
    made = (_lines(told, width, most, again) for most in MOST)
    return next((lines for lines in made if len(lines) <= SCREEN), _lines(told, width, MOST[-1], again))


def _lines(told: Explanation, width: int, most: int, again: str) -> list[str]:
    lists = [(what, found) for what, found in told.checked_by if found and what != "its chapter"]
    texts = [(where, text) for where, text in told.texts if len(told.texts) == 1 and len(text.splitlines()) <= SHORT]
    places = () if texts or len(told.texts) != 1 else (("source file", (told.texts[0][0],)),)
    parts = [
        _wrapped(told.title, width),
        _wrapped(told.about, width),
        *([where, *(f"  {line}".rstrip() for line in text.splitlines())] for where, text in texts),
        *(_listed(what, found, width, most) for what, found in (*places, *lists)),
        _listed("more in", told.see, width, most),
        [again],
    ]
    return [line for number, part in enumerate(each for each in parts if each) for line in ([""] * bool(number) + part)]


def _wrapped(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)


def _listed(what: str, found: Sequence[str], width: int, most: int) -> list[str]:
    """A list under its name: names in rows, sentences one by one, and how many were left out."""
    if not found:
        return []
    sentences = any(" " in each for each in found) and not all(_is_short(each) for each in found)
    shown = found[: most if sentences else 4 * most]
    left = [f"and {len(found) - len(shown)} more"] if len(shown) < len(found) else []
    if not sentences:
        return [f"{what}:", *(f"  {line}" for line in _wrapped(", ".join([*shown, *left]), width - 2))]
    return [
        f"{what}:",
        *(
            f"  {line}"
            for each in (*shown, *left)
            for line in textwrap.wrap(each, width - 2, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        ),
    ]


def _is_short(each: str) -> bool:
    return len(each) < 15
