"""Where something stands in the file of a class, for a message that a reader can go to."""

from __future__ import annotations

import inspect
import re
import sys
from types import FunctionType
from typing import Any

from refmodel.language.sources import code_of

WITHIN = ("__func__", "fget", "func", "function", "__wrapped__")
"""Where Python's decorators, and a law, keep the function that they are made of."""

DECORATORS_DEEP = 20
"""So many decorators are looked through: an object may claim to hold itself."""


def place_of(cls: type, name: str = "") -> str:
    """``file:line: Class`` or, with the name of an attribute, ``file:line: Class.name``, at the class or at the attribute of its
    body. Without a text that can be read it is the module and the class."""
    shown = f"{cls.__qualname__}.{name}" if name else cls.__qualname__
    try:
        lines, first = inspect.getsourcelines(cls)
        file = inspect.getsourcefile(cls)
    except (OSError, TypeError):
        return f"{cls.__module__}.{shown}"
    stands = re.compile(rf"\s+(async\s+)?(def\s+|class\s+)?{re.escape(name)}\b\s*[:=(]")
    at = next((i for i, line in enumerate(lines) if stands.match(line)), 0) if name else 0
    return f"{file}:{max(first, 1) + at}: {shown}"


def file_of(cls: type) -> str:
    """The file in which a class stands; of one from a notebook's cell, that of its functions; empty if it is not known."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    codes = (code_of(each).co_filename for each in vars(cls).values() if isinstance(each, FunctionType))
    return file or next(codes, "")


def home_of(cls: type, name: str) -> type:
    """The class that states an attribute, or annotates it: the class itself, or one that it is made of."""
    return next((base for base in cls.__mro__ if name in vars(base) or name in vars(base).get("__annotations__", {})), cls)


def line_of(function: Any) -> str:
    """``file:line`` of a function's text."""
    code = code_of(function)
    return f"{code.co_filename}:{code.co_firstlineno}"


def decorated(what: Any) -> str:
    """What stands under a decorator, with its place: ``file:line: name, a staticmethod``. What is made of no function stands where
    the caller of the decorator is."""
    function = _function_within(what)
    if function is None:
        return f"{_caller()}: a {type(what).__name__}"
    kind = "coroutine" if inspect.iscoroutinefunction(what) else type(what).__name__
    return f"{line_of(function)}: {function.__code__.co_name}, a {kind}"


def _function_within(what: Any) -> FunctionType | None:
    """The function that decorators were put around: staticmethod, property, partialmethod, cached_property, a law and others."""
    for _ in range(DECORATORS_DEEP):
        if type(what) is FunctionType:
            return what
        what = next((within for name in WITHIN if (within := getattr(what, name, None)) is not None), None)
    return None


def _caller() -> str:
    """``file:line`` of the text outside this package that is being run."""
    package = __name__.split(".")[0]
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == package:
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def not_evaluated(why: Exception) -> str:
    """Why an annotation means nothing, and what to write instead."""
    said = f"{type(why).__name__}: {why}"
    if isinstance(why, NameError):
        said += (
            "; annotations are evaluated where they stand: define a class of the file above what names it, and import what they "
            "name at run time, not under TYPE_CHECKING"
        )
    return said
