"""What a design's file may not change while it is loaded: what Python and refmodel work with."""

from __future__ import annotations

import builtins
import linecache
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, TypeAlias

from refmodel.language.unsound import BadDesign

_OWN = __name__.partition(".")[0]

Held: TypeAlias = "tuple[ModuleType | type, str, Any]"
"""A module or a class, a name in it, and what stands under the name."""


@contextmanager
def nothing_replaced(file: str) -> Iterator[None]:
    """Within this a file is loaded. ``BadDesign`` if it gives another function or class to a name of ``builtins``, of one of
    refmodel's modules, or of a class there: no verdict would mean what it says. What was replaced is put back."""
    before = [each for module in _modules() for each in _held(module)]
    replaced: list[Held] = []
    try:
        yield
    finally:
        replaced += [(where, name, value) for where, name, value in before if vars(where).get(name) is not value]
        for where, name, value in replaced:
            setattr(where, name, value)
    for where, name, _ in replaced:
        raise BadDesign(
            f"{file}:{_line(file, name)}: replaces {_named(where)}.{name}, which refmodel itself works with; expected a function "
            "or a class of another name in the design's own file"
        )


def _modules() -> list[ModuleType]:
    return [builtins, *(each for name, each in list(sys.modules.items()) if name.partition(".")[0] == _OWN and each is not None)]


def _held(module: ModuleType) -> Iterator[Held]:
    """The functions and classes that stand in a module, and in its classes."""
    for name, value in list(vars(module).items()):
        if isinstance(value, FunctionType | type) or (module is builtins and name != "_"):
            yield module, name, value
        if isinstance(value, type) and value.__module__ == module.__name__ != builtins.__name__:
            yield from ((value, of, each) for of, each in list(vars(value).items()) if isinstance(each, FunctionType | property))


def _named(where: ModuleType | type) -> str:
    return where.__name__ if isinstance(where, ModuleType) else f"{where.__module__}.{where.__qualname__}"


def _line(file: str, name: str) -> int:
    """The first line of a file that names an attribute; the first of all if it is named in none, since another file may."""
    named = (number for number, line in enumerate(linecache.getlines(file), 1) if re.search(rf"[.\"']{name}\b", line))
    return next(named, 1)
