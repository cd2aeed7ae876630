"""What a file's text makes while it runs: laws and operations. Each has to be found again where it is judged, or taken."""

from __future__ import annotations

import inspect
import sys
from types import FunctionType, ModuleType
from typing import Any, TypeVar

M = TypeVar("M")

_made: list[tuple[Any, FunctionType, Any]] = []
"""What was made while the text of its file ran, its function, and what says which run that was."""


def noted(made: M, function: FunctionType) -> M:
    """Remember what is made if its file is being run: what is made later, as by a test, is none of what the file states."""
    its, frame = function.__globals__, inspect.currentframe()
    while frame is not None and not (frame.f_code.co_name == "<module>" and frame.f_globals is its):
        frame = frame.f_back
    if frame is not None:
        _made.append((made, function, its.get("__spec__")))
    return made


def made_by_files(of: type[M]) -> list[tuple[ModuleType, M]]:
    """What of this type was made while texts of files ran, when each was last run; with its module."""
    found = []
    for made, function, run in _made:
        module = sys.modules.get(function.__module__)
        if module is not None and isinstance(made, of) and function.__globals__ is vars(module) and run is module.__spec__:
            found.append((module, made))
    return found


def made_in(module: ModuleType, of: type[M]) -> list[M]:
    """What of this type was made while a module's text ran, when it was last run."""
    return [
        made
        for made, function, run in _made
        if isinstance(made, of) and function.__globals__ is vars(module) and run is module.__spec__
    ]
