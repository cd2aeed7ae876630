"""A function's text changed while a process lives: whoever judges a mutant runs, reads and types the changed text.

The changed text has as many lines as the file has, and differs within the function only. So every other function of the file is
what it was.
"""

from __future__ import annotations

import linecache
import sys
from types import FunctionType
from typing import Any

from refmodel.language.held import let_go
from refmodel.language.kept import forget
from refmodel.language.sources import code_in, code_of, forget_replaced
from refmodel.language.unsound import BadDesign


def change(function: FunctionType, text: str) -> None:
    """From now on this function runs from another text of its file, and every reading knows that text only.

    There is no way back: call this in a process that ends with the mutant.
    """
    code = code_of(function)
    file = code.co_filename
    new = code_in(text, code)
    if new is None:
        raise BadDesign(f"{file}:{code.co_firstlineno}: {function.__qualname__} is not in the changed text")
    linecache.cache[file] = (len(text), None, [f"{line}\n" for line in text.split("\n")], file)
    forget_replaced(function)
    let_go(function)
    forget()
    if new.co_freevars == code.co_freevars:
        function.__code__ = new
    else:
        _put_in_its_class(function, new)


def _put_in_its_class(function: FunctionType, code: Any) -> None:
    """Another function in the place of one, since the two see different names of those around them."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    if set(code.co_freevars) - set(cells):
        raise BadDesign(f"{function.__qualname__} sees names that it did not see before")
    new = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, tuple(cells[name] for name in code.co_freevars)
    )
    for name in ("__kwdefaults__", "__qualname__", "__annotations__"):
        setattr(new, name, getattr(function, name))
    new.__dict__.update(function.__dict__)
    *path, own = function.__qualname__.split(".")
    home: Any = sys.modules[function.__module__]
    for part in path:
        home = getattr(home, part)
    held = vars(home)[own]
    setattr(home, own, property(new) if isinstance(held, property) else type(held)(new) if held is not function else new)
