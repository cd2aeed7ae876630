"""What was meant by a name that there is not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def did_you_mean(typed: str, names: Iterable[str], first: Iterable[str] = ()) -> str:
    """``did you mean NAME?``, of up to three names that are nearly what was typed; empty if none is. ``first`` are named before
    these. A name that differs in capitals only is named alone."""
    names = list(names)
    same = list(dict.fromkeys(name for name in names if name.casefold() == typed.casefold()))
    if len(same) == 1:
        return f"did you mean {same[0]}?"
    by_form: dict[str, list[str]] = {}
    for name in names:
        by_form.setdefault(_form(name), []).append(name)
    near = [each for form in difflib.get_close_matches(_form(typed), by_form, n=3, cutoff=0.6) for each in by_form[form]]
    meant = list(dict.fromkeys([*first, *near[:3]]))
    return f"did you mean {' or '.join(meant)}?" if meant else ""


def _form(name: str) -> str:
    """A name in which case and the spelling of gaps do not matter."""
    return slug(name).replace("_", "")


def slug(words: str) -> str:
    """Words as a name is spelt: small letters and digits, and one underscore for anything between them."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def nearly_or(typed: str, names: Iterable[str], otherwise: str) -> str:
    """What was meant by what was typed; where nothing is near, ``otherwise``."""
    return did_you_mean(typed, names) or otherwise
