"""What a design's file may not change while it is loaded: what Python and refmodel work with."""

from __future__ import annotations

import builtins
import linecache
import operator
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
    watched = [where for module in _modules() for where in _watched(module)]
    before = [(where, dict(vars(where))) for where in watched]
    replaced: list[Held] = []
    try:
        yield
    finally:
        replaced += [each for where, held in before for each in _replaced(where, held)]
        for where, name, value in replaced:
            setattr(where, name, value)
    for where, name, _ in replaced:
        raise BadDesign(
            f"{file}:{_line(file, name)}: replaces {_named(where)}.{name}, which refmodel itself works with; expected a function "
            "or a class of another name in the design's own file"
        )


def _modules() -> list[ModuleType]:
    return [builtins, *(each for name, each in list(sys.modules.items()) if name.partition(".")[0] == _OWN and each is not None)]


def _watched(module: ModuleType) -> list[ModuleType | type]:
    """A module, and the classes of which it is the home; none of ``builtins``, whose classes nobody can change."""
    known = _known.get(module)
    if known is None or known[0] != len(vars(module)):  # more was imported in the meantime
        found = [each for each in list(vars(module).values()) if isinstance(each, type) and each.__module__ == module.__name__]
        known = _known[module] = len(vars(module)), [module, *(found if module is not builtins else ())]
    return known[1]


_known: dict[ModuleType, tuple[int, list[ModuleType | type]]] = {}
"""By module: how many names it had when its classes were looked up, and what is watched of it."""


def _replaced(where: ModuleType | type, held: dict[str, Any]) -> Iterator[Held]:
    """The functions and classes that stood in a module, or the methods in a class, and do so no longer."""
    now = vars(where)
    if not any(map(operator.is_not, held.values(), map(now.get, held))):
        return
    for name, value in held.items():
        if now.get(name) is not value and _is_worked_with(where, name, value):
            yield where, name, value


def _is_worked_with(where: ModuleType | type, name: str, value: Any) -> bool:
    if isinstance(where, type):
        return isinstance(value, FunctionType | property)
    return isinstance(value, FunctionType | type) or (where is builtins and name != "_")


def _named(where: ModuleType | type) -> str:
    return where.__name__ if isinstance(where, ModuleType) else f"{where.__module__}.{where.__qualname__}"


def _line(file: str, name: str) -> int:
    """The first line of a file that names an attribute; the first of all if it is named in none, since another file may."""
    named = (number for number, line in enumerate(linecache.getlines(file), 1) if re.search(rf"[.\"']{name}\b", line))
    return next(named, 1)
