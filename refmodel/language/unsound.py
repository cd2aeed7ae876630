"""What Python and the solver would not agree on is refused, with the place in the text that did it."""

from __future__ import annotations

import functools
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import ClassVar, Final

import attr

_ENGINE_ROOM = Path(__file__).resolve().parent
_ENGINES = _ENGINE_ROOM.parent / "engines"
_ATTRS = Path(attr.__file__).resolve().parent
_PYTHON = Path(sysconfig.get_paths()["stdlib"]).resolve()


def text_position() -> str:
    """``file:line`` of the innermost frame that belongs to a specification, not to the machinery."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if is_of_a_text(name):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown position"


def is_of_a_text(filename: str) -> bool:
    """Whether a frame of this file belongs to a specification, not to the machinery."""
    return not filename.startswith("<") and not _is_machinery(filename)


@functools.cache
def _is_machinery(filename: str) -> bool:
    path = Path(filename).resolve()
    ours = path.is_relative_to(_ENGINE_ROOM) or path.is_relative_to(_ENGINES)
    return ours or path.is_relative_to(_PYTHON) or path.is_relative_to(_ATTRS)


class Unsound(BaseException):
    """Raised if a design uses a value in a way that would mean something else on solver terms than in plain Python.

    It derives from BaseException so that no ``except Exception`` in a design can swallow it; the engines also look at the class
    attribute ``latest``, so that not even a bare ``except`` can.
    """

    latest: ClassVar[Unsound | None] = None

    def __init__(self, why: str) -> None:
        self.why = why
        self.position = text_position()
        super().__init__(f"{self.position}: {why}")
        Unsound.latest = self


UNDECODABLE: Final = (ValueError, RecursionError)
"""What msgspec raises of bytes that are no document: its own errors and those about UTF-8 are ValueErrors, and what is nested too
deeply is a RecursionError."""


class BadDesign(Exception):
    """A design, law or geometry is not well formed: bad input, not a verdict."""
