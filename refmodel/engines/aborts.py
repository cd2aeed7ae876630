"""A text that has gone wrong: where, and in which words that is said."""

from __future__ import annotations

import traceback
from types import TracebackType

from refmodel.language.arithmetic import LeavesKind
from refmodel.language.unsound import is_of_a_text


class Aborted:
    """An operation raised what is no outcome: ``str`` of it is the place in the text, and what went wrong there."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __str__(self) -> str:
        place = place_in_text(self.error.__traceback__)
        return f"{place}{': ' if place else ''}{wrong_in_words(self.error)}"


def place_in_text(where: TracebackType | None) -> str:
    """``file:line`` of the innermost frame that is of a design's text; of the innermost, if none is; empty without frames."""
    frames = traceback.extract_tb(where)
    of_texts = [frame for frame in frames if is_of_a_text(frame.filename)]
    return "" if not frames else f"{(of_texts or frames)[-1].filename}:{(of_texts or frames)[-1].lineno}"


def wrong_in_words(error: Exception) -> str:
    """What a text did that has no meaning, in the words of specs/reading.md."""
    if isinstance(error, KeyError) and error.args and not isinstance(error.args[0], str):
        return f"the key {error} is missing"
    if isinstance(error, KeyError | LeavesKind) and error.args:
        return str(error.args[0])
    if isinstance(error, NotImplementedError):
        return f"NotImplementedError{': ' if error.args else ''}{error}; another class has to provide this method"
    return f"{type(error).__name__}: {error}"


def in_words(wrong: Exception) -> str:
    """Why what a law computes is no value of the language."""
    if isinstance(wrong, KeyError):
        return (
            f"it looks up the key {wrong}, which is missing; implies() evaluates both of its arguments: write "
            "key not in table or ..., which looks the key up only if it is there"
        )
    return f"it computes what is no number: {wrong}" if isinstance(wrong, LeavesKind) else f"{type(wrong).__name__}: {wrong}"
