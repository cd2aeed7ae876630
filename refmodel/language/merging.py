"""Functions that only look, taken as one value whatever ``if`` they have.

A run that follows every path doubles at each ``if``. Where a function only looks, its paths can be followed apart and put together
as one value, so that the run outside goes on once. The functions are compiled from the very same text: their body becomes a
function of its own, which the reading at work is handed. A function that does more than look runs as it stands.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import CodeType, FunctionType
from typing import Any

from refmodel.language.asking import answerer
from refmodel.language.compiling import compiled
from refmodel.language.held import held_definition, version
from refmodel.language.joining import Rewrite, joined_code, joined_texts
from refmodel.language.sources import code_of

NAME = "__refmodel_merged__"


def merged(name: str, body: Callable[..., Any], *arguments: Any) -> Any:
    """The value of a function, by a reading that can take it as one; otherwise the body runs."""
    reading = answerer()
    take = getattr(reading, "merged", None)
    return body(*arguments) if take is None else take(name, body, arguments)


def merged_code(function: FunctionType) -> CodeType | None:
    """The code of a function whose body is handed to ``merged``; None if its text cannot be had."""
    return _merged_code(function, version(function))


@functools.cache
def _merged_code(function: FunctionType, version: int) -> CodeType | None:
    definition = held_definition(function)
    if definition is None:
        return None
    if not isinstance(definition, ast.FunctionDef) or not _can_be_merged(definition):
        return joined_code(function)
    names = [argument.arg for argument in definition.args.posonlyargs + definition.args.args]
    of = names[0] if names and "__class__" in code_of(function).co_freevars else None
    rewritten = Rewrite(of).visit(definition)
    plain = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    inner = ast.FunctionDef("__body__", plain, rewritten.body, [])
    qualified = f"{function.__module__}.{function.__qualname__}"
    handed: list[ast.expr] = [ast.Name(name, ast.Load()) for name in ["__body__", *names]]
    call = ast.Call(ast.Name(NAME, ast.Load()), [ast.Constant(qualified), *handed], [])
    rewritten.body = [inner, ast.Return(call)]
    return compiled(function, rewritten)


def _can_be_merged(definition: ast.FunctionDef) -> bool:
    """Whether a function has something to merge, and plain parameters."""
    forks = any(isinstance(node, ast.If | ast.IfExp | ast.For) for node in ast.walk(definition))
    waits = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(definition))
    arguments = definition.args
    return forks and not waits and not (arguments.kwonlyargs or arguments.vararg or arguments.kwarg)


def merged_texts(functions: Sequence[FunctionType]) -> AbstractContextManager[None]:
    """While this holds, these functions run with ``and``, ``or`` and ``not`` joined, and what only looks merged."""
    return joined_texts(functions, merged_code, {NAME: merged})
