"""From a function that runs to the text that it was made of.

The text is looked up by the code that runs, never by what a function says of itself (``__wrapped__``, ``__name__``), and it is
compiled again and compared: a text that is not what runs is as good as none.
"""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType

from refmodel.language.matching import parsed

Definition = ast.FunctionDef | ast.Lambda


@functools.cache
def _python() -> str:
    """Where Python's own modules are."""
    return sysconfig.get_paths()["stdlib"] + os.sep


def is_of_a_library(function: FunctionType) -> bool:
    """Whether a function is Python's or attrs' own. ``typing.cast`` says what its argument is, and is read as any other."""
    file, module = code_of(function).co_filename, (function.__module__ or "").partition(".")[0]
    is_python_s = file.startswith(_python()) and "site-packages" not in file and module != "typing"
    return is_python_s or module in ("attr", "attrs")


@functools.cache
def _parsed(name: str, source: str) -> tuple[ast.Module | None, frozenset[CodeType]]:
    """A file's syntax tree, and the code of every function in it."""
    try:
        tree = parsed(source)
        return tree, frozenset(_nested(compile(source, name, "exec", dont_inherit=True)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None, frozenset()


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


@functools.cache
def _definitions(name: str, source: str) -> dict[tuple[str, int], list[Definition]]:
    """The functions and lambdas of a file, by name and first line (that of the first decorator, as code has it)."""
    found: dict[tuple[str, int], list[Definition]] = {}
    tree, _ = _parsed(name, source)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found.setdefault((node.name, first), []).append(node)
        elif isinstance(node, ast.Lambda):
            found.setdefault(("<lambda>", node.lineno), []).append(node)
    return found


def class_body(cls: type) -> tuple[str, list[ast.stmt]]:
    """The file of a class, and the statements of its body; none where its text is not to be had.

    Where several classes of a file have its name, it is the one in whose body a function stands that the class has."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    codes = [
        code_of(each)
        for each in vars(cls).values()
        if type(each) is FunctionType and each.__qualname__ == f"{cls.__qualname__}.{each.__name__}"
    ]
    source = _text_of(file, [code for code in codes if code.co_filename == file])
    found = [node for name, node in _classes(file, source or "") if name == cls.__qualname__]
    lines = {code.co_firstlineno for code in codes}
    inside = [node for node in found if lines & set(range(node.lineno, (node.end_lineno or node.lineno) + 1))]
    chosen = (inside or found)[-1:]
    return file, chosen[0].body if chosen else []


@functools.cache
def _classes(name: str, source: str) -> list[tuple[str, ast.ClassDef]]:
    """The classes of a file, each with its qualified name."""
    tree, _ = _parsed(name, source)
    found: list[tuple[str, ast.ClassDef]] = []

    def within(node: ast.AST, outer: str) -> None:
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.ClassDef):
                found.append((f"{outer}{each.name}", each))
                within(each, f"{outer}{each.name}.")
            elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                within(each, f"{outer}{each.name}.<locals>.")
            elif isinstance(each, ast.stmt | ast.excepthandler | ast.match_case):  # no class stands in an expression
                within(each, outer)

    if tree is not None:
        within(tree, "")
    return found


_compiled: dict[FunctionType, CodeType] = {}
"""What functions ran before a reading put other code in its place."""


def code_of(function: FunctionType) -> CodeType:
    """The code that Python compiled, also while the function runs from code that a reading put in its place."""
    return _compiled.get(function, function.__code__)


def replaced(function: FunctionType) -> None:
    """A reading is about to put other code in the place of a function's own."""
    _compiled.setdefault(function, function.__code__)


def restored(function: FunctionType) -> None:
    """A reading that put other code in the place of a function's own may have put the function's own code back."""
    if _compiled.get(function) is function.__code__:
        del _compiled[function]


def forget_replaced(function: FunctionType) -> None:
    """A function is given another text: what ran before it says nothing any more."""
    _compiled.pop(function, None)


def code_in(source: str, code: CodeType) -> CodeType | None:
    """The code that another text of the same file has for a function, by its name and first line."""
    try:
        whole = compile(source, code.co_filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    same = (code.co_qualname, code.co_firstlineno)
    return next((c for c in _nested(whole) if (c.co_qualname, c.co_firstlineno) == same), None)


def definition_of(function: FunctionType) -> Definition | None:
    """The syntax of a function or lambda, or None if its text cannot be had or is not what runs."""
    code = code_of(function)
    return _definition_of(code, code.co_filename)


@functools.cache
def _definition_of(code: CodeType, file: str) -> Definition | None:
    source = _text_of(file, [code])
    if source is None:
        return None
    candidates = _definitions(file, source).get((code.co_name, code.co_firstlineno), [])
    if len(candidates) > 1:
        span = _span(code)
        candidates = sorted((c for c in candidates if span is not None and _holds(c, span)), key=_size)
    return candidates[0] if candidates else None


def _text_of(file: str, codes: Sequence[CodeType]) -> str | None:
    """The text of a file from which all of this runs, or None: the file may have been loaded again since its text was read."""
    for look_again in (False, True):
        if look_again:
            linecache.checkcache(file)
        source = "".join(linecache.getlines(file))
        if _parsed(file, source)[1].issuperset(codes):
            return source
    return None


Span = tuple[tuple[int, int], tuple[int, int]]


def _span(code: CodeType) -> Span | None:
    """From where to where a lambda's code reaches. (What stands at column 0 to 0 is Python's own.)"""
    places = [
        (line, column, last, end)
        for line, last, column, end in code.co_positions()
        if line is not None and last is not None and column is not None and end
    ]
    if not places:
        return None
    return min((line, column) for line, column, _, _ in places), max((last, end) for _, _, last, end in places)


def _holds(node: Definition, span: Span) -> bool:
    """Whether a lambda's body reaches as far."""
    if not isinstance(node, ast.Lambda):
        return False
    body = node.body
    return (body.lineno, body.col_offset) <= span[0] and span[1] <= (body.end_lineno or 0, body.end_col_offset or 0)


def _size(node: Definition) -> int:
    return sum(1 for _ in ast.walk(node))
