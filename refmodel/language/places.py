"""Where something stands in the file of a class, for a message that a reader can go to."""

from __future__ import annotations

import inspect
import re
from typing import Any


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


def home_of(cls: type, name: str) -> type:
    """The class that states an attribute, or annotates it: the class itself, or one that it is made of."""
    return next((base for base in cls.__mro__ if name in vars(base) or name in vars(base).get("__annotations__", {})), cls)


def line_of(function: Any) -> str:
    """``file:line`` of a function's text."""
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"


def decorated(what: Any) -> str:
    """What stands under a decorator, with its place if it is made of a function: ``file:line: name, a staticmethod``."""
    function = getattr(what, "__func__", getattr(what, "fget", what))
    if not hasattr(function, "__code__"):
        return repr(what)
    kind = "coroutine" if inspect.iscoroutinefunction(what) else type(what).__name__
    return f"{line_of(function)}: {function.__code__.co_name}, a {kind}"
