"""What was found out about classes and functions, kept until their text may have changed.

In a notebook laws are stated, helpers are stated anew and operations are put into a class after it was checked. What is kept by a
class would not know of that; so whoever asks about a class of a user's begins by forgetting.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_forget: list[Callable[[], None]] = []


def kept(function: Callable[P, R]) -> Callable[P, R]:
    """A function of classes and functions whose answers are kept until ``forget``."""
    remembering: Any = functools.cache(function)
    _forget.append(remembering.cache_clear)
    return functools.wraps(function)(remembering)


def forget() -> None:
    """A text may have changed: every design is read again when it is asked for."""
    for clear in _forget:
        clear()


__all__ = ["forget", "kept"]
