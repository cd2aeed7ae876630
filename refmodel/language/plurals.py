"""Numbers of things in words: 1 law, 2 laws, 1,000 classes."""

from __future__ import annotations


def many(number: int, what: str) -> str:
    """A number with a noun, in the plural unless the number is 1: ``2 states``. Of several words, the last one changes."""
    if number == 1:
        return f"1 {what}"
    ending = "ies" if what.endswith("y") and what[-2] not in "aeou" else "es" if what.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{number:,} {what[:-1] if ending == 'ies' else what}{ending}"
