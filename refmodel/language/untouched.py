"""What a design's file may not change while it is loaded: what Python and refmodel work with."""

from __future__ import annotations

import builtins
import linecache
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType

from refmodel.language.unsound import BadDesign

_OWN = __name__.partition(".")[0]


@contextmanager
def nothing_replaced(file: str) -> Iterator[None]:
    """Within this a file is loaded. ``BadDesign`` if it gives another function or class to a name of ``builtins``, or of one of
    refmodel's modules: no verdict would mean what it says."""
    before = [(module, name, value) for module in _modules() for name, value in _made(module)]
    yield
    for module, name, value in before:
        if vars(module).get(name) is not value:
            setattr(module, name, value)
            raise BadDesign(
                f"{file}:{_line(file, name)}: replaces {module.__name__}.{name}, which refmodel itself works with; expected a "
                "function or a class of another name in the design's own file"
            )


def _line(file: str, name: str) -> int:
    """The first line of a file that names an attribute; the first of all if it is named in none, since another file may."""
    named = (number for number, line in enumerate(linecache.getlines(file), 1) if re.search(rf"[.\"']{name}\b", line))
    return next(named, 1)


def _modules() -> list[ModuleType]:
    return [builtins, *(each for name, each in list(sys.modules.items()) if name.partition(".")[0] == _OWN and each is not None)]


def _made(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The functions and classes that stand in a module."""
    for name, value in list(vars(module).items()):
        if isinstance(value, FunctionType | type) or (module is builtins and name != "_"):
            yield name, value
