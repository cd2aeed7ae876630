"""What a text may not say because no value can catch it: identity, types, unbounded loops, swallowed errors, floats.

Everything else that ints and terms would not agree on is caught as it happens (``opaque``).
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

import attrs

from refmodel.language.design import Outline
from refmodel.language.joining import functions_of

BUILTINS = frozenset([
    "callable", "eval", "exec", "getattr", "globals", "hasattr", "hash", "id", "input", "isinstance", "issubclass", "locals",
    "object", "open", "print", "repr", "setattr", "type", "vars",
])


@attrs.frozen
class Complaint:
    """A place in a text that says what it may not."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def complaints(design: Outline) -> list[Complaint]:
    """Every such place in a design's text."""
    found = []
    for function in functions_of(design):
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        for node in ast.walk(tree):
            for what in _wrong(node):
                line = first + getattr(node, "lineno", 1) - 1
                found.append(Complaint(function.__code__.co_filename, line, what))
    return sorted(set(found), key=lambda c: (c.file, c.line))


def _wrong(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare) and any(isinstance(o, (ast.Is, ast.IsNot)) for o in node.ops):
        yield "'is' asks for identity, which a term has not; use =="
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
        yield f"{node.func.id}() looks at what a value is made of"
    if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")):
        yield "a catch-all except would swallow what the engines raise; name the Fault"
    if isinstance(node, ast.While):
        yield "a while loop has no bound that can be seen; use for over a range"
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        yield "state outside the tables is not explored"
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield "a float is no value of the language"
    if isinstance(node, (ast.Await, ast.AsyncFunctionDef)):
        yield "a text is not asynchronous; use yield where others may run"
