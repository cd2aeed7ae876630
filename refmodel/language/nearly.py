"""What was meant by a name that there is not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def did_you_mean(typed: str, names: Iterable[str]) -> str:
    """``did you mean NAME?``, of up to three names that are nearly what was typed; empty if none is."""
    by_form = {_form(name): name for name in names}
    near = difflib.get_close_matches(_form(typed), by_form, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(by_form[each] for each in near)}?" if near else ""


def _form(name: str) -> str:
    """A name in which case and the spelling of gaps do not matter."""
    return slug(name).replace("_", "")


def slug(words: str) -> str:
    """Words as a name is spelt: small letters and digits, and one underscore for anything between them."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
