"""A function's text, changed a little, as code that can run in the place of its own."""

from __future__ import annotations

import ast
from types import CodeType, FunctionType
from typing import Any

from refmodel.language.sources import Definition, code_of
from refmodel.language.unsound import BadDesign


def _ask_for_nothing(parameters: ast.arguments) -> None:
    """Annotations and defaults name what there was where the function was made: they are not evaluated again. It keeps its own."""
    for parameter in (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs):
        parameter.annotation = None
    parameters.defaults = [ast.Constant(None) for _ in parameters.defaults]
    parameters.kw_defaults = [default and ast.Constant(None) for default in parameters.kw_defaults]


def compiled(function: FunctionType, definition: Definition) -> CodeType:
    """The code of another definition, with the same free names, line by line where the first one stood."""
    code = code_of(function)
    made: list[ast.stmt]
    if isinstance(definition, ast.FunctionDef):
        definition.decorator_list, definition.returns = [], None
        made = [definition, ast.Return(ast.Name(definition.name, ast.Load()))]
    else:
        made = [ast.Return(definition)]
    _ask_for_nothing(definition.args)
    free = code.co_freevars
    factory = ast.FunctionDef("factory", ast.arguments([], [ast.arg(v) for v in free], None, [], [], None, []), made, [])
    module = ast.fix_missing_locations(ast.Module([factory], []))
    space: dict[str, Any] = {}
    flags = code.co_flags & 0x1FF0000  # from __future__ import annotations and its like
    exec(compile(module, code.co_filename, "exec", flags=flags, dont_inherit=True), dict(function.__globals__), space)
    new: CodeType = space["factory"](*(None for _ in free)).__code__
    if new.co_freevars != free:
        where = f"{code.co_filename}:{code.co_firstlineno}"
        raise BadDesign(f"{where}: {function.__qualname__} sees other names when it is compiled again")
    return new
